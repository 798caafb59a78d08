using System.Text.Json.Nodes;

namespace ManagedTransformers.Diagnostics;

/// <summary>Texts or ids as one batch of a model, and what a file of their activations says of them.</summary>
/// <param name="Inputs">The batch: a row for each text, the shorter ones padded on the right.</param>
/// <param name="Metadata">For <see cref="ActivationTrace.Save"/>: <c>texts</c> and <c>tokens</c>, where they are known.</param>
public sealed record TracedTexts(ModelInputs Inputs, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>Texts as the pipelines read them, with the special tokens that the model wants around them.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="texts">At least one.</param>
    /// <exception cref="ModelInputException">There is no text, or one is empty or too long.</exception>
    public static TracedTexts Of(PretrainedModel model, Tokenizer tokenizer, IReadOnlyList<string> texts)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(texts);
        var encoder = new EncoderTexts(model, TokenizerFit.WithSpecialTokens(tokenizer, model.Config));
        int[][] rows = [.. texts.Select(text => encoder.Encode(text, advice: "Give a shorter text.").Ids)];
        TracedTexts result = OfIds(model, tokenizer, rows);
        return result with { Metadata = new Dictionary<string, string>(result.Metadata) { ["texts"] = Strings(texts).ToJsonString() } };
    }

    /// <summary>Rows of token ids as they are.</summary>
    /// <param name="model">The model.</param>
    /// <param name="tokenizer">Says what the tokens are; null where there is none.</param>
    /// <param name="rows">At least one, each with at least one id.</param>
    /// <exception cref="ModelInputException">There is no row, or one is empty.</exception>
    public static TracedTexts OfIds(PretrainedModel model, Tokenizer? tokenizer, IReadOnlyList<int[]> rows)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(rows);
        int pad = model.Config.PadTokenId is int id && (uint)id < (uint)model.Config.VocabSize ? id : 0;
        ModelInputs inputs = rows.Count == 1 ? ModelInputs.Of(rows[0]) : ModelInputs.OfBatch(rows, pad);
        var metadata = new Dictionary<string, string>();
        if (tokenizer is not null)
        {
            IEnumerable<JsonNode> tokens = rows.Select(row => Strings(row.Select(id => tokenizer.IdToToken(id) is null ? "" : tokenizer.Decode([id]))));
            metadata["tokens"] = new JsonArray([.. tokens]).ToJsonString();
        }
        return new TracedTexts(inputs, metadata);
    }

    private static JsonArray Strings(IEnumerable<string> texts) => new([.. texts.Select(text => (JsonNode)text)]);
}
