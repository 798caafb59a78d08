using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;
using Spectre.Console;
using Padding = ManagedTransformers.Tokenizers.Padding;

namespace ManagedTransformers.Cli;

/// <summary>mtx tokenize: text to ids, tokens and offsets.</summary>
internal sealed class TokenizeCommand : MtxCommand
{
    // Frames and colours are for tables that people read.
    private const int MostFramed = 1000;

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
            await EncodeLinesAsync(context, file, line => Describe(line, tokenizer.Encode(line, pair, options, cancellationToken)), cancellationToken)
                .ConfigureAwait(false);
            return ExitCodes.Ok;
        }
        string text = context.Text(context.Get(_text)!);
        TokenEncoding encoding = tokenizer.Encode(text, pair, options, cancellationToken);
        TokenizeResult result = Describe(text, encoding);
        if (!context.WriteJson(result, CliJsonContext.Relaxed.TokenizeResult))
            ShowTable(context.Console, encoding, result.Decoded, cancellationToken);
        return ExitCodes.Ok;

        // A pair has a window for each window of the one with each of the other: they are made as they are written.
        TokenizeResult Describe(string given, TokenEncoding encoded)
        {
            int[] own = [.. encoded.Ids.Where((_, i) => encoded.SpecialTokensMask[i] == 0)];
            return new TokenizeResult(given, pair, encoded.Ids, encoded.Tokens, encoded.Offsets.Select(offset => (int[])[offset.Start, offset.End]),
                encoded.TypeIds, encoded.SpecialTokensMask, encoded.WordIds, tokenizer.Decode(own), encoded.Overflowing.Select(window =>
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    return window.Ids;
                }));
        }
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

    internal static string ParseLine(string line, string file, int number)
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

    private static void ShowTable(CliConsole console, TokenEncoding encoding, string decoded, CancellationToken cancellationToken)
    {
        string[] headers = [">#", ">id", "token", ">from", ">to", ""];
        if (console.OutIsTerminal && encoding.Ids.Length <= MostFramed)
        {
            Table table = Show.Table(console, headers);
            for (int i = 0; i < encoding.Ids.Length; i++)
                table.AddRow([.. Row(i).Select((cell, column) => Show.Cell(cell, column == 2 && encoding.SpecialTokensMask[i] == 1 ? Color.Grey : null))]);
            Show.Write(console, table);
        }
        else
        {
            LongTable.Write(console, headers, encoding.Ids.Length, Row);
        }
        int further = encoding.Overflowing.Count;
        string windows = further == 0 ? "" : $", and {further} further windows";
        console.Out.WriteLine($"{encoding.Ids.Length} tokens{windows}; decoded: {Show.Visible(decoded)}");

        string[] Row(int i)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (int start, int end) = encoding.Offsets[i];
            string[] numbers = [.. ((int[])[i, encoding.Ids[i], start, end]).Select(number => number.ToString(CultureInfo.InvariantCulture))];
            return [numbers[0], numbers[1], encoding.Tokens[i], numbers[2], numbers[3], encoding.SpecialTokensMask[i] == 1 ? "special" : ""];
        }
    }
}

/// <summary>A text as tokens; offsets are half-open spans in Unicode code points.</summary>
internal sealed record TokenizeResult(
    string Text, string? Pair, int[] Ids, string[] Tokens, IEnumerable<int[]> Offsets, int[] TypeIds, int[] SpecialTokensMask, int?[] WordIds,
    string Decoded, IEnumerable<int[]> Overflowing);
