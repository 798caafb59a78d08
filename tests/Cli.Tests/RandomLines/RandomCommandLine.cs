using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;

namespace ManagedTransformers.Cli.Tests;

/// <summary>
/// Makes command lines at random: every command, its options with values that they mean, that they cannot mean and that nobody expects, once, twice or
/// without one, its arguments, and what is none of all that. The same seed makes the same lines.
/// </summary>
internal sealed class RandomCommandLine
{
    private static readonly string[] Numbers =
    [
        "0", "1", "2", "3", "5", "0.5", "1.0", "-1", "-0", "1e-3", "1e999", "NaN", "-Infinity", "2147483647", "2147483648", "-9223372036854775809", "+3",
        " 4 ", "0x10",
    ];

    private static readonly string[] Texts =
    [
        "", " ", "a", "def f(x):\n", "public static <mask> set(", "<mask>", "<mask> <mask>", "-", "--", "-x", "-m", "@file", "$0", "\"", "'", "\\", "%s{0}",
        "[red]x[/]", "\u001b[2J\u001b]0;title\u0007", "\0", "\r\n", "\u0085\u009b31m", "\uFEFF", "\u200B", "\u202Etxt", "\uFFFF\uFDD0", "\uD800", "\uDC00x",
        "\U0001F600", "e\u0301", "\u0663", "日本語", "İ", "ß", "NaN", "null", "true", "1,5", "1;2", "a=b", "=", ":1", "a=1.5", "5,6=0.5", "regex(", "(a+)+$",
        ".*", "\\d{999999999}", "none", "human-eval",
    ];

    private static readonly string[] Words =
        ["bogus", "--josn", "--json=1", "-h", "--help", "--version", "/?", "--", "-", "", "---", "-j", "--=x", "-1", "@", "[diagram]"];

    private readonly Random _random;
    private readonly RandomLineFiles _files;
    private readonly Command[] _commands;
    private readonly string _long;

    public RandomCommandLine(int seed, RandomLineFiles files)
    {
        _random = new Random(seed);
        _files = files;
        _commands = [.. Mtx.Create(new CliConsole(TextReader.Null, TextWriter.Null, TextWriter.Null)).Subcommands];
        _long = string.Concat(Enumerable.Repeat("lorem ipsum(\n", 300));
    }

    /// <summary>The next one.</summary>
    public string[] Next()
    {
        Command command = _commands[_random.Next(_commands.Length)];
        var args = new List<string>();
        if (Chance(2)) args.Add(Word());                                    // before the command
        args.Add(Chance(2) ? Word() : command.Name);
        var rest = new List<string[]>();
        bool wild = Chance(25);                                              // any options in any number, and any arguments
        foreach (Option option in command.Options.Where(option => option.Required || Chance(wild ? 30 : 8)))
            AddOption(rest, command, option, wild);
        if (Chance(20)) rest.Add(["--json"]);
        _random.Shuffle(CollectionsMarshal.AsSpan(rest));
        Bound(command, rest);
        int place = 0;                                                       // arguments keep their order: the last one may be what is written
        foreach (string value in command.Arguments
            .SelectMany(argument => Enumerable.Range(0, Count(argument)).Select(_ => ArgumentValue(command, argument, wild))))
        {
            place = _random.Next(place, rest.Count + 1);
            rest.Insert(place++, [value]);
        }
        args.AddRange(rest.SelectMany(part => part));
        if (wild && Chance(30)) args.Add(Word());
        if (Chance(3)) args.AddRange(["--", Text()]);
        return args.Any(arg => arg.StartsWith("--force", StringComparison.Ordinal)) ? [.. args.Select(_files.Writable)] : [.. args];
    }

    /// <summary>What is on standard input.</summary>
    public string Input() => Chance(50) ? "" : Chance(50) ? Text() : "\"a\"\n{\"prompt\": \"def f\"}\n{\"task_id\": \"t/0\", \"prompt\": \"x\"}\n";

    /// <summary>Whether it is as on a terminal.</summary>
    public bool Terminal() => Chance(30);

    private void AddOption(List<string[]> rest, Command command, Option option, bool wild)
    {
        string name = option.Aliases.Count > 0 && Chance(20) ? option.Aliases.First() : option.Name;
        int times = wild && Chance(15) ? 2 : 1;
        for (int i = 0; i < times; i++)
        {
            if (option.Arity.MaximumNumberOfValues == 0)
                rest.Add(Chance(5) ? [$"{name}=true"] : [name]);
            else if (wild && Chance(5))
                rest.Add([name]);
            else
                rest.Add(Chance(50) ? [$"{name}={OptionValue(command, option, wild)}"] : [name, OptionValue(command, option, wild)]);
        }
    }

    private string ArgumentValue(Command command, Argument argument, bool wild) => ValueOf(command.Name, argument.Name, argument.Name, wild);

    private string OptionValue(Command command, Option option, bool wild) =>
        option.HelpName is string words && words.Contains('|', StringComparison.Ordinal) && !wild
            ? Any(words.Split('|'))
            : ValueOf(command.Name, option.Name, option.HelpName ?? "", wild);

    /// <summary>A value for what is called so; one in five (or half of them, where it is wild) could be any.</summary>
    private string ValueOf(string command, string name, string kind, bool wild)
    {
        bool writes = name is "--out" or "--output" or "--session" or "DST";
        if (writes) return Chance(80) ? _files.Output(_random) : Any(["", " ", "/dev/full", "/no/such/dir/x", _files.Folder, "\0", "out/\u202E"]);
        if (Chance(wild ? 50 : 15)) return Chance(30) ? Any(Numbers) : Chance(30) ? _files.Input(_random) : Text();
        return (name, kind) switch
        {
            ("--model" or "--draft" or "--against", _) or (_, "DIR" or "SRC" or "CASE_DIR") => _files.Model(_random, command),
            ("--kernels", _) => Any(["reference", "Portable", "Vector128", "Avx2", "sse"]),
            ("--threads", _) => Any(["1", "2", "3", "64"]),
            ("NAME", _) => Any(["acme/tiny", "acme/tiny@main", "acme/none", "../x/y", "a/b/c"]),
            ("--inputs" or "OURS" or "THEIRS", _) => _files.Activations(_random),
            (_, "FILE") => _files.Input(_random),
            (_, "N" or "X" or "P" or "SECONDS" or "ID") => Any(Numbers.AsSpan(0, 6)),
            (_, "N,N,…" or "ID[,ID…]") => Any(["1", "5,6", "313,5282,323", "70000", "-5", "1,,2"]),
            (_, "ID[,ID…]=BIAS" or "TEXT=BIAS") => Any(["5=1.5", "5,6=-Infinity", "a=Infinity", "x=NaN", "=1"]),
            _ => Text(),
        };
    }

    /// <summary>What would take long is bounded: the last word on the length of a text is ours, but where another one stands.</summary>
    private void Bound(Command command, List<string[]> rest)
    {
        bool Says(string name) => rest.Any(part => part[0] == name || part[0].StartsWith(name + "=", StringComparison.Ordinal));
        if (command.Options.Any(option => option.Name == "--max-new-tokens") && !Says("--max-new-tokens") && !Says("--max-length"))
            rest.Add(["--max-new-tokens", _random.Next(1, 5).ToString(CultureInfo.InvariantCulture)]);
        if (command.Name is "serve" && !Says("--port"))
            rest.Add(["--port", "0"]);
        if (command.Name is "cluster" && !Says("--silos"))
            rest.Add(["--silos", "1"]);
    }

    private int Count(Argument argument) =>
        argument.Arity.MaximumNumberOfValues > 1 ? _random.Next(0, 4) : argument.Name is "SRC" or "DST" || Chance(90) ? 1 : Chance(50) ? 0 : 2;

    private string Text() => Chance(3) ? _long : Chance(15) ? RandomText() : Any(Texts);

    private string Word() => Any(Words);

    private string RandomText()
    {
        var units = new char[_random.Next(1, 12)];
        for (int i = 0; i < units.Length; i++)
            units[i] = (char)(Chance(70) ? _random.Next(0x80) : _random.Next(0x10000));
        return new string(units);
    }

    private string Any(ReadOnlySpan<string> values) => values[_random.Next(values.Length)];

    private bool Chance(int percent) => _random.Next(100) < percent;
}
