using System.Diagnostics.Metrics;

namespace ManagedTransformers.Serving;

/// <summary>Meter and activity source, with the names of OpenTelemetry's gen_ai conventions where there are any.</summary>
/// <remarks>Both are called <see cref="Name"/>: <c>AddMeter("ManagedTransformers")</c>, <c>AddSource("ManagedTransformers")</c>.</remarks>
public static class ModelTelemetry
{
    /// <summary>The name of meter and activity source.</summary>
    public const string Name = "ManagedTransformers";

    internal const string Provider = "managed_transformers";

    private static readonly Meter s_meter = new(Name);

    private static readonly Histogram<double> s_duration = Seconds("gen_ai.server.request.duration", "Time of a call, waiting included.",
        [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]);

    private static readonly Histogram<double> s_firstToken = Seconds("gen_ai.server.time_to_first_token", "Time to the first piece of a streamed text.",
        [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]);

    private static readonly Histogram<double> s_perToken = Seconds("gen_ai.server.time_per_output_token", "Time per token after the first one.",
        [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5]);

    private static readonly Histogram<double> s_load = Seconds("managed_transformers.model.load.duration", "Time of loading a model, its warm-up included.",
        [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]);

    private static readonly Histogram<int> s_batch = s_meter.CreateHistogram("managed_transformers.batch.size", "{text}", "Texts of one batch.",
        tags: null, new InstrumentAdvice<int> { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64, 128] });

    private static readonly UpDownCounter<int> s_waiting =
        s_meter.CreateUpDownCounter<int>("managed_transformers.calls.active", "{call}", "Calls that wait or run.");

    internal static ActivitySource Source { get; } = new(Name);

    /// <summary>Begins a call; disposing ends it.</summary>
    internal static ModelOperation Begin(string operation, string model) => new(operation, model);

    /// <summary>Begins a call that ends on another thread: what the caller does meanwhile is not part of it.</summary>
    internal static ModelOperation BeginApart(string operation, string model)
    {
        Activity? outer = Activity.Current;
        ModelOperation begun = Begin(operation, model);
        Activity.Current = outer;
        return begun;
    }

    internal static void Loaded(string model, TimeSpan time, Exception? error) => s_load.Record(time.TotalSeconds, Tags("load", model, error));

    internal static TagList Tags(string operation, string model, Exception? error)
    {
        var tags = new TagList
        {
            { "gen_ai.operation.name", operation }, { "gen_ai.provider.name", Provider }, { "gen_ai.request.model", model },
        };
        if (error is not null)
            tags.Add("error.type", error.GetType().FullName);
        return tags;
    }

    private static Histogram<double> Seconds(string name, string description, IReadOnlyList<double> boundaries) =>
        s_meter.CreateHistogram(name, "s", description, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = boundaries });

    /// <summary>A call: its span, and what is measured when it ends.</summary>
    internal sealed class ModelOperation : IDisposable
    {
        private readonly string _operation, _model;
        private readonly Activity? _activity;
        private readonly long _start = Stopwatch.GetTimestamp();
        private Exception? _error;
        private TimeSpan? _first;
        private int _ended;

        public ModelOperation(string operation, string model)
        {
            (_operation, _model) = (operation, model);
            _activity = Source.StartActivity($"{operation} {model}", ActivityKind.Internal);
            _activity?.SetTag("gen_ai.operation.name", operation).SetTag("gen_ai.provider.name", Provider).SetTag("gen_ai.request.model", model);
            s_waiting.Add(1, Tags(operation, model, error: null));
        }

        public void SetTag(string name, object? value) => _activity?.SetTag(name, value);

        public void Failed(Exception error) => _error = error;

        /// <summary>Texts of this call, and of others that ask for the same, run as one batch.</summary>
        public void Batch(int texts) => s_batch.Record(texts, Tags(_operation, _model, error: null));

        /// <summary>A piece of a text is there.</summary>
        public void Piece()
        {
            if (_first is not null)
                return;
            _first = Stopwatch.GetElapsedTime(_start);
            s_firstToken.Record(_first.Value.TotalSeconds, Tags(_operation, _model, error: null));
        }

        /// <summary>The text is complete.</summary>
        public void Completed(int newTokens)
        {
            if (_first is TimeSpan first && newTokens > 1)
                s_perToken.Record((Stopwatch.GetElapsedTime(_start) - first).TotalSeconds / (newTokens - 1), Tags(_operation, _model, error: null));
        }

        /// <summary>Ends it; who comes later changes nothing.</summary>
        public void Dispose()
        {
            if (Interlocked.Exchange(ref _ended, 1) != 0)
                return;
            s_waiting.Add(-1, Tags(_operation, _model, error: null));
            s_duration.Record(Stopwatch.GetElapsedTime(_start).TotalSeconds, Tags(_operation, _model, _error));
            if (_error is not null)
                _activity?.SetStatus(ActivityStatusCode.Error, _error.Message).SetTag("error.type", _error.GetType().FullName);
            _activity?.Dispose();
        }
    }
}
