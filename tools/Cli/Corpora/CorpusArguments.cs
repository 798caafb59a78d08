using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using ManagedTransformers.Serving;

namespace ManagedTransformers.Cli;

/// <summary>The options of a command that can go through a whole file of texts, and the run that does it.</summary>
internal sealed class CorpusArguments
{
    private const int MostWorkers = 256;

    private readonly Option<string?> _corpus = new("--corpus")
    {
        HelpName = "FILE", Description = "Instead of TEXT: the texts of this file, of any size, one JSON object per line. "
            + "Lines that cannot be processed are set aside; with --strict the exit code is then 3.",
    };
    private readonly Option<string?> _out = new("--out")
    {
        HelpName = "DIR", Description = "Where the results go, a file for each shard. What is there of the same job is not computed again.",
    };
    private readonly Option<int?> _workers =
        CommonOptions.Bounded("--workers", "N", "Shards that are computed at a time, each on a share of the threads. Default: 1.", 1);
    private readonly Option<string?> _textField = new("--text-field") { HelpName = "NAME", Description = "The property with the text. Default: text." };
    private readonly Option<string?> _idField =
        new("--id-field") { HelpName = "NAME", Description = "The property that is a result's id, a string or a number. Default: the line number." };
    private readonly Option<string?> _shardSize =
        new("--shard-size") { HelpName = "SIZE", Description = "Bytes of the input in a shard, such as 500KB: what a kill loses. Default: 1MiB." };
    private readonly Option<string?> _cluster = new("--cluster")
    {
        HelpName = "WHERE", Description = "Have the machines of a fleet do it that serve --model (see mtx serve --cluster): localhost[:PORT], or "
            + "redis://HOST[:PORT][/SERVICE]. They need FILE and DIR under the same paths; N is for each of them.",
    };
    private readonly Option<bool> _force = CommonOptions.Flag("--force", "Replace the job that --out holds, instead of going on with it or refusing it.");

    /// <summary>How --help shows them.</summary>
    public IEnumerable<(string Title, Option[] Options)> Groups =>
        [("A whole corpus", [_corpus, _out, _workers, _textField, _idField, _shardSize, _force, _cluster])];

    /// <summary>Adds them.</summary>
    /// <param name="command">The command.</param>
    /// <param name="text">Its TEXT, which --corpus replaces.</param>
    /// <param name="file">Another option that replaces TEXT; null: there is none.</param>
    /// <param name="notWith">What is for one text, and not for a corpus.</param>
    public void AddTo(MtxCommand command, Argument text, Option? file, params Option[] notWith)
    {
        Option[] own = [.. Groups.Single().Options];
        foreach (Option option in own)
            command.Add(option);
        command.Validators.Add(result =>
        {
            bool hasText = result.GetResult(text) is { Tokens.Count: > 0 };
            if (result.GetResult(_corpus) is null)
            {
                if (Given(result, own) is string alone)
                    result.AddError($"{alone} is for --corpus FILE.");
                if (!hasText && (file is null || result.GetResult(file) is null))
                    result.AddError($"Either TEXT{(file is null ? "" : $", {file.Name} FILE")} or --corpus FILE is needed.");
                return;
            }
            if (result.GetValue(_corpus) == "-")
                result.AddError("--corpus - is standard input, which cannot be read again when the job goes on after a kill. Save it as a file first.");
            if (hasText)
                result.AddError("TEXT and --corpus exclude each other.");
            if (result.GetValue(_out) is null)
                result.AddError("--corpus needs --out DIR.");
            if (Given(result, file is null ? notWith : [file, .. notWith]) is string foreign)
                result.AddError($"{foreign} and --corpus exclude each other.");
            if (result.GetValue(_workers) > MostWorkers)
                result.AddError($"--workers is {result.GetValue(_workers)}; at most {MostWorkers} is possible.");
            if (result.GetValue(_shardSize) is string size && ByteSize.Parse(size) is null)
                result.AddError($"--shard-size is \"{size}\"; a size is needed, such as 1MiB, 500KB or 1000.");
        });
    }

    /// <summary>Whether a corpus is asked for.</summary>
    public bool IsGiven(CommandContext context) => context.Get(_corpus) is not null;

    /// <summary>Whether a fleet is to do it.</summary>
    public bool IsForCluster(CommandContext context) => context.Get(_cluster) is not null;

    /// <summary>Options of the pipeline: workers share the threads.</summary>
    public PipelineOptions PipelineOptions(CommandContext context)
    {
        PipelineOptions options = context.PipelineOptions();
        Kernels.KernelOptions kernels = options.Load.Kernels;
        int each = Math.Max(1, kernels.MaxThreads / (context.Get(_workers) ?? 1));
        return options with { Load = options.Load with { Kernels = kernels with { MaxThreads = each } } };
    }

    /// <summary>Does the job, or what is left of it.</summary>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    public int Run(CommandContext context, CorpusTask task, CancellationToken cancellationToken)
    {
        (string corpus, string directory) = (context.Get(_corpus)!, context.Get(_out)!);
        context.Console.ShowProgress($"reading {corpus}");
        var bar = new CorpusBar(context.Console, corpus);
        try
        {
            using CorpusJob job = CorpusJob.Open(corpus, directory, task, Options(context), bar, cancellationToken);
            CorpusTotals totals = job.Run(context.Get(_workers) ?? 1, bar, cancellationToken);
            return Report(context, job.Fingerprint, totals);
        }
        finally
        {
            context.Console.ShowProgress("");
        }
    }

    /// <summary>Has a fleet do the job, or what is left of it.</summary>
    /// <param name="context">The command line.</param>
    /// <param name="demo">The demo model of the command, for one without --model.</param>
    /// <param name="task">The options of the pipeline.</param>
    /// <param name="before">What stands before every text.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    public async Task<int> RunOnClusterAsync(
        CommandContext context, string demo, object task, string? before, CancellationToken cancellationToken)
    {
        if (context.OptionOfThisMachine is string own)
            throw new UsageException($"{own} and --cluster exclude each other: how a machine of a fleet computes is said where it is started.");
        (string corpus, string directory) = (context.Get(_corpus)!, context.Get(_out)!);
        context.Console.ShowProgress($"reading {corpus}");
        try
        {
            (string fingerprint, CorpusTotals totals, IReadOnlyList<string> refused) = await ClusterCorpus.RunAsync(
                ClusterAddress.Parse(context.Get(_cluster)!), context.ModelOption ?? demo, Path.GetFullPath(corpus), Path.GetFullPath(directory),
                Options(context), context.Get(_workers) ?? 1, task, before, new CorpusBar(context.Console, corpus), cancellationToken).ConfigureAwait(false);
            context.Console.ShowProgress("");
            foreach (string silo in refused)
                context.Console.Warn($"A machine of the fleet took no part. {silo}");
            return Report(context, fingerprint, totals);
        }
        finally
        {
            context.Console.ShowProgress("");
        }
    }

    private CorpusOptions Options(CommandContext context)
    {
        CorpusOptions defaults = CorpusOptions.Default;
        return defaults with
        {
            TextField = context.Get(_textField) ?? defaults.TextField,
            IdField = context.Get(_idField),
            ShardBytes = context.Get(_shardSize) is string size ? ByteSize.Parse(size)!.Value : defaults.ShardBytes,
            Overwrite = context.Get(_force),
        };
    }

    private int Report(CommandContext context, string fingerprint, CorpusTotals totals)
    {
        var result = new CorpusResult(
            context.Get(_corpus)!, context.Get(_out)!, fingerprint, totals.Texts, totals.SetAside, totals.Shards, totals.Computed);
        context.Console.ShowProgress("");
        if (!context.WriteJson(result, CliJsonContext.Relaxed.CorpusResult))
            context.Console.Out.WriteLine(
                $"{Show.Visible(result.Out)} has the results of {result.Texts} texts in {result.Shards} shards, {result.Computed} of them new.");
        if (result.SetAside > 0)
            context.Console.Warn($"{result.SetAside} lines of {result.Corpus} were set aside; poison-*.jsonl in {result.Out} have their numbers and reasons.");
        return totals.SetAside > 0 && context.Strict ? ExitCodes.BadInput : ExitCodes.Ok;
    }

    /// <summary>The name of the first of some options that the command line has.</summary>
    private static string? Given(CommandResult result, IEnumerable<Option> options) =>
        options.FirstOrDefault(option => result.GetResult(option) is { Implicit: false })?.Name;
}

/// <summary>How far a job is. Reports at once, unlike Progress&lt;T>, which posts to the thread pool and may come late.</summary>
internal sealed class CorpusBar(CliConsole console, string corpus) : IProgress<CorpusProgress>
{
    public void Report(CorpusProgress value)
    {
        double share = (double)value.Bytes / value.TotalBytes;
        if (value.IsReading)
        {
            console.ShowProgress($"{Show.BarText(share)} {share:P0} of {corpus} read");
            return;
        }
        string left = value.Remaining is TimeSpan time
            ? string.Create(CultureInfo.InvariantCulture, $", {Math.Floor(time.TotalHours):00}:{time:mm\\:ss} left") : "";
        string aside = value.SetAside > 0 ? $", {value.SetAside} set aside" : "";
        console.ShowProgress(string.Create(CultureInfo.InvariantCulture,
            $"{Show.BarText(share)} {value.Texts} texts{aside}, {value.TextsPerSecond:0.0} texts/s{left}"));
    }
}

/// <summary>A finished job: lines of the output files and lines set aside, shards, and those that this run computed.</summary>
internal sealed record CorpusResult(string Corpus, string Out, string Fingerprint, long Texts, long SetAside, int Shards, int Computed);
