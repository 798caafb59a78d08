using System.CommandLine;
using Spectre.Console;

namespace ManagedTransformers.Cli;

/// <summary>mtx rerank: documents in the order in which they answer a query.</summary>
internal sealed class RerankCommand : MtxCommand
{
    private readonly Argument<string> _query = CommonOptions.Text("QUERY", "What is looked for");

    private readonly Argument<string[]> _documents = new("DOCUMENT")
    {
        Arity = ArgumentArity.OneOrMore,
        Description = "What may answer it; '-' reads one from standard input.",
    };

    private readonly Option<int?> _topN = CommonOptions.Bounded("--top-n", "N", "Only the best N documents. Default: all.", 1);
    private readonly Option<bool> _truncate = CommonOptions.Flag("--truncate", "Cut the longer text where both are too long, instead of refusing them.");

    public RerankCommand(CliConsole console)
        : base("rerank", "Order documents by how well they answer a query", console)
    {
        Add(_query);
        Add(_documents);
        Add(_topN);
        Add(_truncate);
    }

    protected override Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        using RerankPipeline pipeline = RerankPipeline.Load(context.ModelDirectory(demo: null), context.PipelineOptions());
        string query = context.Text(context.Get(_query)!);
        string[] documents = [.. context.Get(_documents)!.Select(context.Text)];
        var progress = new Counter(context.Console, documents.Length);
        IReadOnlyList<RerankScore> best = pipeline.Rank(query, documents, context.Get(_topN), context.Get(_truncate), progress, cancellationToken);
        context.Console.ShowProgress("");

        var result = new RerankResult(query, [.. best.Select(one => new RerankedDocument(one.Index, one.Document, one.Score))]);
        if (context.WriteJson(result, CliJsonContext.Relaxed.RerankResult))
            return Task.FromResult(ExitCodes.Ok);
        Table table = Show.Table(context.Console, ">score", ">#", "document");
        foreach (RerankedDocument one in result.Documents)
            table.AddRow(Show.Number(one.Score, "0.00000"), Show.Number(one.Index + 1, "0"), Show.Quoted(one.Text));
        Show.Write(context.Console, table);
        return Task.FromResult(ExitCodes.Ok);
    }

    /// <summary>Reports at once, unlike Progress&lt;T>, which posts to the thread pool and may come late.</summary>
    private sealed class Counter(CliConsole console, int documents) : IProgress<int>
    {
        public void Report(int value) => console.ShowProgress($"{value} of {documents} documents");
    }
}

/// <summary>The documents, best first.</summary>
internal sealed record RerankResult(string Query, RerankedDocument[] Documents);

/// <summary>A document: its place on the command line, from 0, its text, and its score.</summary>
internal sealed record RerankedDocument(int Index, string Text, float Score);
