using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>The special tokens that a model wants around a text or between two, with their segment ids.</summary>
/// <remarks>
/// Learned from the tokenizer's own post-processor by encoding a probe. StarEncoder's tokenizer adds none, though the model was
/// trained on <c>&lt;cls&gt; … &lt;sep&gt;</c>: for encoders whose tokenizer adds nothing they come from tokenizer_config.json.
/// </remarks>
internal sealed class SpecialTokenTemplate
{
    private const string Probe = "a";
    private static readonly EncodeOptions Whole = new() { Truncation = Truncation.None, Padding = Padding.None };

    private SpecialTokenTemplate(Form single, Form pair) => (Single, Pair) = (single, pair);

    /// <summary>Around one text.</summary>
    public Form Single { get; }

    /// <summary>Around two.</summary>
    public Form Pair { get; }

    public static SpecialTokenTemplate Of(Tokenizer tokenizer, PretrainedConfig config)
    {
        bool encoder = config is BertConfig;
        if (encoder && tokenizer.CountSpecialTokens(pair: false) == 0 && tokenizer.SpecialTokens is { ClsTokenId: int cls, SepTokenId: int sep })
        {
            var single = new Form([new(cls, 0)], [], [new(sep, 0)], SecondType: 0);
            var pair = new Form([new(cls, 0)], [new(sep, 0)], [new(sep, 1)], SecondType: 1);
            return new SpecialTokenTemplate(single, pair);
        }
        return new SpecialTokenTemplate(Learn(tokenizer.Encode(Probe, pair: null, Whole)), Learn(tokenizer.Encode(Probe, Probe, Whole)));
    }

    private static Form Learn(Encoding probe)
    {
        int?[] sequences = probe.SequenceIds;
        (int first, int lastOfFirst) = (Array.IndexOf(sequences, 0), Array.LastIndexOf(sequences, 0));
        (int second, int last) = (Array.IndexOf(sequences, 1), Math.Max(lastOfFirst, Array.LastIndexOf(sequences, 1)));
        SpecialToken[] Between(int start, int end) =>
            [.. Enumerable.Range(start, Math.Max(0, end - start)).Select(i => new SpecialToken(probe.Ids[i], probe.TypeIds[i]))];
        return new Form(
            Between(0, first),
            second < 0 ? [] : Between(lastOfFirst + 1, second),
            Between(last + 1, probe.Length),
            second < 0 ? 0 : probe.TypeIds[second]);
    }

    /// <summary>A special token with its segment.</summary>
    internal readonly record struct SpecialToken(int Id, int Type);

    /// <summary>Special tokens before the first text, between the texts, and after the last; and the second text's segment.</summary>
    internal sealed record Form(SpecialToken[] Before, SpecialToken[] Between, SpecialToken[] After, int SecondType)
    {
        public int Count => Before.Length + Between.Length + After.Length;
    }
}
