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
        WriteLlamaCpp(text, [.. request.Models.All.Select(model => request.Models.LookAt(model.Id).Generation)
            .OfType<GenerationEngine>().Select(engine => engine.State)]);
        request.Http.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        request.Http.Response.Headers["Process-Start-Time-Unix"] = s_start;
        await request.Http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(text.ToString()), request.Cancellation).ConfigureAwait(false);
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
