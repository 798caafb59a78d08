using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Text.RegularExpressions;

namespace ManagedTransformers.Cli;

/// <summary>The command line: parses, runs, and turns what went wrong into a message and an exit code.</summary>
internal static partial class Mtx
{
    /// <summary>The root with all commands, which read and write through <paramref name="console"/>.</summary>
    public static RootCommand Create(CliConsole console)
    {
        RootCommand root = CommandsOf(console);
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new GroupedHelp((SynchronousCommandLineAction)help.Action!, console);
        return root;
    }

    private static RootCommand CommandsOf(CliConsole console) => new(
        "Transformer inference in C#. Commands that run a model take --model DIR (or org/name), --json, --threads and --kernels; "
        + "TEXT is read from standard input where it is '-'.")
    {
        new FillMaskCommand(console),
        new ClassifyCommand(console),
        new TagCommand(console),
        new EmbedCommand(console),
        new GenerateCommand(console),
        new InfillCommand(console),
        new SynthesizeCommand(console),
        new SampleCommand(console),
        new ScoreCommand(console),
        new QualityCommand(console),
        new ExplainCommand(console),
        new PlaygroundCommand(console),
        new ServeCommand(console),
        new ClusterCommand(console),
        new NextSentenceCommand(console),
        new RerankCommand(console),
        new TokenizeCommand(console),
        new DemoCommand(console),
        new PullCommand(console),
        new InspectCommand(console),
        new ConvertCommand(console),
        new ForwardCommand(console),
        new VerifyCommand(console),
        new TraceCommand(console),
        new DiffCommand(console),
    };

    /// <summary>Runs one command line. Whatever goes wrong, parsing and help included, ends in a message and an exit code.</summary>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    public static async Task<int> RunAsync(IReadOnlyList<string> args, CliConsole console, CancellationToken cancellationToken = default)
    {
        try
        {
            ParseResult parsed = Parse(args, console);
            var invocation = new InvocationConfiguration { Output = console.Out, Error = console.Error, EnableDefaultExceptionHandler = false };
            if (parsed.CommandResult.Command is MtxCommand command)
                invocation.ProcessTerminationTimeout = command.TimeToEnd + TimeSpan.FromSeconds(1);
            return await parsed.InvokeAsync(invocation, cancellationToken).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // the outermost place: a command's own errors are caught where it runs
        catch (Exception e)
#pragma warning restore CA1031
        {
            return ErrorReport.Write(e, console, args.TakeWhile(arg => arg != "--").Contains("--json"));
        }
    }

    /// <exception cref="UsageException">The command line is wrong.</exception>
    private static ParseResult Parse(IReadOnlyList<string> args, CliConsole console)
    {
        // Code begins with '@' and holds '-x' often enough: no response files, no bundles of one-letter options.
        var parsing = new ParserConfiguration { ResponseFileTokenReplacer = null, EnablePosixBundling = false };
        RootCommand root = Create(console);
        if (root.Subcommands.FirstOrDefault(command => args.Count > 0 && command.Name == args[0]) is Command called
            && OptionWithoutValue(args, called) is (string option, string next))
            throw new UsageException($"{option} needs a value, and {next} after it is an option. (If it is meant as the value, write {option}={next}.) "
                + $"See mtx {called.Name} --help.");
        ParseResult parsed;
        try
        {
            parsed = root.Parse(args, parsing);
        }
        catch (InvalidOperationException e)             // a command's validator asked for the value of an option that does not parse
        {
            throw new UsageException($"{e.Message} See mtx {args[0]} --help.");
        }
        string[] problems = UnknownOption(args, parsed) is string unknown
            ? [$"There is no option {unknown}. (Text that begins with '-' goes after '--', values that do are written --option=VALUE.)"]
            : parsed.Action is ParseErrorAction ? Problems(parsed) : [];
        if (problems.Length == 0)
            return parsed;
        string help = parsed.CommandResult.Command is RootCommand ? "mtx --help" : $"mtx {parsed.CommandResult.Command.Name} --help";
        throw new UsageException($"{string.Join(" ", problems)} See {help}.");
    }

    /// <summary>The parser's messages, each on one line; that a command is missing says nothing where a wrong one is named.</summary>
    private static string[] Problems(ParseResult parsed)
    {
        string[] messages = [.. parsed.Errors.Select(error => string.Join(' ', error.Message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)))];
        return messages.Length > 1 && parsed.CommandResult.Command is RootCommand ? messages[1..2] : messages;
    }

    /// <summary>The first word that looks like an option and is none: the parser would take a misspelt option for TEXT.</summary>
    private static string? UnknownOption(IReadOnlyList<string> args, ParseResult parsed)
    {
        HashSet<string> known = [.. parsed.CommandResult.Command.Options.Concat(parsed.RootCommandResult.Command.Options).SelectMany(NamesOf)];
        return args.TakeWhile(arg => arg != "--")
            .Where(arg => LongOption().IsMatch(arg))
            .Select(NameIn)
            .FirstOrDefault(name => !known.Contains(name));
    }

    /// <summary>An option and the word after it, where that is an option of the command too: the parser would take it for the value.</summary>
    private static (string Option, string Next)? OptionWithoutValue(IReadOnlyList<string> args, Command command)
    {
        HashSet<string> known = [.. command.Options.SelectMany(NamesOf)];
        HashSet<string> needing = [.. command.Options.Where(option => option.Arity.MinimumNumberOfValues > 0).SelectMany(NamesOf)];
        string[] words = [.. args.TakeWhile(arg => arg != "--")];
        return words.Zip(words.Skip(1)).Where(pair => needing.Contains(pair.First) && LongOption().IsMatch(pair.Second) && known.Contains(NameIn(pair.Second)))
            .Select(pair => ((string, string)?)pair).FirstOrDefault();
    }

    private static IEnumerable<string> NamesOf(Option option) => option.Aliases.Append(option.Name);

    private static string NameIn(string word) => word.Split('=')[0];

    [GeneratedRegex(@"^--[A-Za-z][A-Za-z-]*(=|\z)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex LongOption();
}
