using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text;

namespace ManagedTransformers.Server;

/// <summary>What the meter <see cref="ModelTelemetry.Name"/> measured since the server began, in Prometheus's text format 0.0.4.</summary>
/// <remarks>Names are those of OpenTelemetry with underscores, and with the unit at their end.</remarks>
internal sealed class PrometheusMetrics : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<(Instrument Instrument, string Labels), Series> _series = new();

    public PrometheusMetrics()
    {
        _listener.InstrumentPublished = static (instrument, listener) =>
        {
            if (instrument.Meter.Name == ModelTelemetry.Name)
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Record(instrument, value, tags));
        _listener.Start();
    }

    public void Dispose() => _listener.Dispose();

    /// <summary>Writes all of it; lines end with a line feed.</summary>
    public void Write(StringBuilder text)
    {
        foreach (var one in _series.GroupBy(pair => pair.Key.Instrument).OrderBy(one => one.Key.Name, StringComparer.Ordinal))
        {
            Instrument instrument = one.Key;
            bool isHistogram = BoundariesOf(instrument) is not null;
            string name = NameOf(instrument);
            Head(text, name, instrument.Description ?? "", isHistogram ? "histogram" : "gauge");
            foreach (((_, string labels), Series series) in one.OrderBy(pair => pair.Key.Labels, StringComparer.Ordinal))
                series.Write(text, name, labels);
        }
    }

    /// <summary>A metric without labels.</summary>
    public static void Write(StringBuilder text, string name, string type, string help, double value)
    {
        Head(text, name, help, type);
        text.Append(CultureInfo.InvariantCulture, $"{name} {value:R}\n");
    }

    /// <summary>What stands before the values of a metric.</summary>
    public static void Head(StringBuilder text, string name, string help, string type) =>
        text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");

    /// <summary>A label with its value.</summary>
    public static string Label(string name, string value) =>
        $"{name}=\"{value.Replace("\\", "\\\\").Replace("\"", "\\\"").Replace("\n", "\\n")}\"";

    private static string NameOf(Instrument instrument) => instrument.Name.Replace('.', '_') + (instrument.Unit == "s" ? "_seconds" : "");

    private void Record(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = new StringBuilder();
        foreach ((string name, object? tag) in tags)
        {
            string label = Label(name.Replace('.', '_'), Convert.ToString(tag, CultureInfo.InvariantCulture)!);
            labels.Append(labels.Length == 0 ? "" : ",").Append(label);
        }
        _series.GetOrAdd((instrument, labels.ToString()), static key => new Series(BoundariesOf(key.Instrument))).Record(value);
    }

    private static IReadOnlyList<double>? BoundariesOf(Instrument instrument) => instrument switch
    {
        Histogram<double> histogram => histogram.Advice?.HistogramBucketBoundaries ?? [],
        Histogram<int> histogram => [.. (histogram.Advice?.HistogramBucketBoundaries ?? []).Select(bound => (double)bound)],
        _ => null,
    };

    /// <summary>The values of one instrument with one set of labels: a sum, and for a histogram how many there were up to each boundary.</summary>
    private sealed class Series(IReadOnlyList<double>? boundaries)
    {
        private readonly Lock _gate = new();
        private readonly long[] _buckets = new long[(boundaries?.Count ?? 0) + 1];
        private double _sum;

        public void Record(double value)
        {
            int bucket = 0;
            while (bucket < _buckets.Length - 1 && value > boundaries![bucket])
                bucket++;
            lock (_gate)
            {
                _sum += value;
                _buckets[bucket]++;
            }
        }

        public void Write(StringBuilder text, string name, string labels)
        {
            double sum;
            long[] buckets;
            lock (_gate)
                (sum, buckets) = (_sum, [.. _buckets]);
            string all = labels.Length == 0 ? "" : $"{{{labels}}}";
            if (boundaries is null)
            {
                text.Append(CultureInfo.InvariantCulture, $"{name}{all} {sum:R}\n");
                return;
            }
            long count = 0;
            for (int i = 0; i < buckets.Length; i++)
            {
                count += buckets[i];
                string bound = i < boundaries.Count ? boundaries[i].ToString("R", CultureInfo.InvariantCulture) : "+Inf";
                text.Append(CultureInfo.InvariantCulture, $"{name}_bucket{{{labels}{(labels.Length == 0 ? "" : ",")}le=\"{bound}\"}} {count}\n");
            }
            text.Append(CultureInfo.InvariantCulture, $"{name}_sum{all} {sum:R}\n{name}_count{all} {count}\n");
        }
    }
}
