namespace ManagedTransformers.Cli;

/// <summary>How far scoring is. Reports at once, unlike Progress&lt;T>, which posts to the thread pool and may come late.</summary>
internal sealed class ScoringBar(CliConsole console) : IProgress<ScoringProgress>
{
    public void Report(ScoringProgress value) =>
        console.ShowProgress($"{Show.BarText((double)value.Scored / value.Total)} {value.Scored} of {value.Total} tokens");
}
