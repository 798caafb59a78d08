using System.Text;
using Microsoft.Extensions.DependencyInjection;

namespace ManagedTransformers.Server;

/// <summary>GET /metrics: what Prometheus reads. The metrics of the engines with OpenTelemetry's names, and llama.cpp's, whose dashboards there are.</summary>
internal static class MetricsRoute
{
    private static readonly string s_start =
        new DateTimeOffset(Process.GetCurrentProcess().StartTime).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);

    public static async Task AnswerAsync(ApiRequest request)
    {
        var text = new StringBuilder();
        request.Http.RequestServices.GetRequiredService<PrometheusMetrics>().Write(text);
        WriteLlamaCpp(text, [.. request.Models.All.SelectMany(model => request.Models.LookAt(model.Id))
            .Select(engine => engine.Generation).OfType<GenerationEngineState>()]);
        if (request.Models.Silos is { } silos)
            WriteFleet(text, silos);
        request.Http.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        request.Http.Response.Headers["Process-Start-Time-Unix"] = s_start;
        await request.Http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(text.ToString()), request.Cancellation).ConfigureAwait(false);
    }

    // Of a fleet, as far as its silos have reported.
    private static void WriteFleet(StringBuilder text, IReadOnlyList<FleetSilo> silos)
    {
        (FleetSilo Silo, FleetSiloModel Model)[] all = [.. silos.SelectMany(silo => silo.Models.Select(model => (silo, model)))];
        PrometheusMetrics.Write(text, "managed_transformers_fleet_silos", "gauge", "Silos that have reported.", silos.Count);
        Gauge("loaded", "Whether a silo has a model in memory.", model => model.IsLoaded ? 1 : 0);
        Gauge("refused", "Whether a silo gets no requests for a model, because its files or version are others.", model => model.Problem is null ? 0 : 1);
        Gauge("running", "Texts that run on a silo.", model => model.Running);
        Gauge("waiting", "Requests that wait on a silo.", model => model.Waiting);

        void Gauge(string name, string help, Func<FleetSiloModel, double> value)
        {
            PrometheusMetrics.Head(text, $"managed_transformers_fleet_{name}", help, "gauge");
            foreach ((FleetSilo silo, FleetSiloModel model) in all)
                text.Append(CultureInfo.InvariantCulture, $"managed_transformers_fleet_{name}{{{PrometheusMetrics.Label("model", model.Id)},")
                    .Append(CultureInfo.InvariantCulture, $"{PrometheusMetrics.Label("silo", silo.Name)}}} {value(model):R}\n");
        }
    }

    // Sums over the decoders that are loaded; an unloaded one takes its counts with it, which Prometheus sees as a reset.
    private static void WriteLlamaCpp(StringBuilder text, GenerationEngineState[] states)
    {
        GenerationEngineTotals[] totals = [.. states.Select(state => state.Totals)];
        double prompt = totals.Sum(one => one.PromptTokens - one.CachedTokens), promptSeconds = totals.Sum(one => one.PrefillTime.TotalSeconds);
        double predicted = totals.Sum(one => one.NewTokens), seconds = totals.Sum(one => one.DecodeTime.TotalSeconds);
        double passes = totals.Sum(one => one.Passes);
        Counter("prompt_tokens_total", "Tokens of prompts that were read; those from the cache are not counted.", prompt);
        Counter("prompt_seconds_total", "Time spent reading prompts.", promptSeconds);
        Counter("tokens_predicted_total", "Tokens generated.", predicted);
        Counter("tokens_predicted_seconds_total", "Time spent generating.", seconds);
        Counter("n_decode_total", "Passes of models that generated tokens.", passes);
        Gauge("prompt_tokens_seconds", "Tokens of prompts per second of reading, since the start.", Ratio(prompt, promptSeconds));
        Gauge("predicted_tokens_seconds", "Tokens generated per second of generating, since the start.", Ratio(predicted, seconds));
        Gauge("n_busy_slots_per_decode", "Texts in a pass, on the average since the start.", Ratio(totals.Sum(one => one.RowsOfPasses), passes));
        Gauge("requests_processing", "Texts that run.", states.Sum(state => state.Running.Count));
        Gauge("requests_deferred", "Requests that wait.", states.Sum(state => state.Waiting));

        void Counter(string name, string help, double value) => PrometheusMetrics.Write(text, $"llamacpp:{name}", "counter", help, value);
        void Gauge(string name, string help, double value) => PrometheusMetrics.Write(text, $"llamacpp:{name}", "gauge", help, value);
        static double Ratio(double a, double b) => b > 0 ? a / b : 0;
    }
}
