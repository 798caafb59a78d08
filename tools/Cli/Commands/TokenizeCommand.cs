using System.CommandLine;
using System.Text.Json;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;
using Spectre.Console;
using Padding = ManagedTransformers.Tokenizers.Padding;

namespace ManagedTransformers.Cli;

/// <summary>mtx tokenize: text to ids, tokens and offsets.</summary>
internal sealed class TokenizeCommand : MtxCommand
{
    private readonly Argument<string?> _text = new("TEXT") { Arity = ArgumentArity.ZeroOrOne, Description = "The text; '-' reads it from standard input." };
    private readonly Option<string?> _jsonl =
        new("--jsonl") { HelpName = "FILE", Description = "Read one JSON string per line and write one JSON object per line; '-' reads standard input." };
    private readonly Option<string?> _pair = new("--pair") { HelpName = "TEXT", Description = "The second text of a pair." };
    private readonly Option<bool> _plain = CommonOptions.Flag("--no-special-tokens", "Add no special tokens.");
    private readonly Option<int?> _maxLength = CommonOptions.Bounded("--max-length", "N", "Cut to N tokens, special tokens included.", 0);
    private readonly Option<int?> _stride =
        CommonOptions.Bounded("--stride", "N", "With --max-length: tokens that each further window shares with the one before.", 0);
    private readonly Option<string?> _strategy =
        CommonOptions.Choice("--truncation", "With --max-length: which text of a pair is cut.", "longest_first", "only_first", "only_second");
    private readonly Option<string?> _side = CommonOptions.Choice("--truncation-side", "With --max-length: the side that is cut.", "right", "left");

    public TokenizeCommand(CliConsole console)
        : base("tokenize", "Turn text into token ids", console)
    {
        foreach (Option option in Common.OfLoading)
            Options.Remove(option);
        Add(_text);
        foreach (Option option in new Option[] { _jsonl, _pair, _plain, _maxLength, _stride, _strategy, _side })
            Add(option);
        Validators.Add(result =>
        {
            if (result.GetValue(_text) is null == result.GetValue(_jsonl) is null)
                result.AddError("Either TEXT or --jsonl FILE is needed.");
            if (result.GetValue(_maxLength) is null
                && (result.GetValue(_stride) is not null || result.GetValue(_strategy) is not null || result.GetValue(_side) is not null))
                result.AddError("--stride, --truncation and --truncation-side need --max-length N.");
        });
    }

    protected override async Task<int> RunAsync(CommandContext context, CancellationToken cancellationToken)
    {
        Tokenizer tokenizer = Tokenizer.Load(context.ModelDirectory(ModelLocator.FillMask));
        EncodeOptions options = ReadOptions(context);
        string? pair = context.Get(_pair);
        if (context.Get(_jsonl) is string file)
        {
            await EncodeLinesAsync(context, file, text => Encode(tokenizer, text, pair, options), cancellationToken).ConfigureAwait(false);
            return ExitCodes.Ok;
        }
        TokenizeResult result = Encode(tokenizer, context.Text(context.Get(_text)!), pair, options);
        if (!context.WriteJson(result, CliJsonContext.Relaxed.TokenizeResult))
            ShowTable(context.Console, result);
        return ExitCodes.Ok;
    }

    private static TokenizeResult Encode(Tokenizer tokenizer, string text, string? pair, EncodeOptions options)
    {
        TokenEncoding encoding = tokenizer.Encode(text, pair, options);
        int[] own = [.. encoding.Ids.Where((_, i) => encoding.SpecialTokensMask[i] == 0)];
        return new TokenizeResult(text, pair, encoding.Ids, encoding.Tokens, [.. encoding.Offsets.Select(offset => (int[])[offset.Start, offset.End])],
            encoding.TypeIds, encoding.SpecialTokensMask, encoding.WordIds, tokenizer.Decode(own), [.. encoding.Overflowing.Select(window => window.Ids)]);
    }

    private static async Task EncodeLinesAsync(CommandContext context, string file, Func<string, TokenizeResult> encode, CancellationToken cancellationToken)
    {
        using TextReader? opened = file == "-" ? null : new StreamReader(file, Utf8Input.Encoding);
        TextReader lines = opened ?? context.Console.In;
        int number = 0;
        while (await lines.ReadLineAsync(cancellationToken).ConfigureAwait(false) is string line)
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            CliJson.Write(context.Console, encode(ParseLine(Utf8Input.Require(line, $"{file}, line {number}"), file, number)),
                CliJsonContext.Relaxed.TokenizeResult);
        }
    }

    private static string ParseLine(string line, string file, int number)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return document.RootElement.ValueKind == JsonValueKind.String
                ? document.RootElement.GetString()!
                : throw new FormatException(
                    $"{file}, line {number} is a JSON {document.RootElement.ValueKind}; each line must be a JSON string, such as \"def f():\\n\".");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escape of half a surrogate pair.
            throw new FormatException($"{file}, line {number} is no JSON string: {e.Message} Each line must be one, such as \"def f():\\n\".", e);
        }
    }

    private EncodeOptions ReadOptions(CommandContext context) => new()
    {
        AddSpecialTokens = !context.Get(_plain),
        Padding = Padding.None,
        Truncation = context.Get(_maxLength) is not int most ? Truncation.None : new Truncation(most)
        {
            Stride = context.Get(_stride) ?? 0,
            Strategy = context.Get(_strategy)?.ToUpperInvariant() switch
            {
                "ONLY_FIRST" => TruncationStrategy.OnlyFirst,
                "ONLY_SECOND" => TruncationStrategy.OnlySecond,
                _ => TruncationStrategy.LongestFirst,
            },
            Direction = "left".Equals(context.Get(_side), StringComparison.OrdinalIgnoreCase) ? TextSide.Left : TextSide.Right,
        },
    };

    private static void ShowTable(CliConsole console, TokenizeResult result)
    {
        Table table = Show.Table(console, ">#", ">id", "token", ">from", ">to", "");
        for (int i = 0; i < result.Ids.Length; i++)
        {
            bool special = result.SpecialTokensMask[i] == 1;
            table.AddRow(Show.Number(i, "0"), Show.Number(result.Ids[i], "0"), Show.Cell(result.Tokens[i], special ? Color.Grey : null),
                Show.Number(result.Offsets[i][0], "0"), Show.Number(result.Offsets[i][1], "0"), Show.Cell(special ? "special" : ""));
        }
        Show.Write(console, table);
        string windows = result.Overflowing.Length == 0 ? "" : $", and {result.Overflowing.Length} further windows";
        console.Out.WriteLine($"{result.Ids.Length} tokens{windows}; decoded: {Show.Visible(result.Decoded)}");
    }
}

/// <summary>A text as tokens; offsets are half-open spans in Unicode code points.</summary>
internal sealed record TokenizeResult(
    string Text, string? Pair, int[] Ids, string[] Tokens, int[][] Offsets, int[] TypeIds, int[] SpecialTokensMask, int?[] WordIds,
    string Decoded, int[][] Overflowing);
