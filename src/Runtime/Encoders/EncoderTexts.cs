using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers;

/// <summary>
/// Texts as rows that a model can read: tokens, special tokens around them, cut or split into windows where they are too long.
/// All pipelines that read whole texts share it.
/// </summary>
internal sealed class EncoderTexts
{
    /// <summary>All of a text's tokens and nothing else, whatever tokenizer.json asks for.</summary>
    public static readonly EncodeOptions Plain = new() { AddSpecialTokens = false, Truncation = Truncation.None, Padding = Padding.None };
    private readonly Tokenizer _tokenizer;
    private readonly PretrainedModel _model;
    private readonly SpecialTokenTemplate _template;

    /// <summary>Prepares the special tokens.</summary>
    /// <param name="model">The model that reads the rows.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="maxTokens">A limit below the model's own, such as sentence-transformers' max_seq_length; null: the model's.</param>
    /// <exception cref="ConfigException">They leave no room for a text.</exception>
    public EncoderTexts(PretrainedModel model, Tokenizer tokenizer, int? maxTokens = null)
    {
        (_model, _tokenizer) = (model, tokenizer);
        _template = SpecialTokenTemplate.Of(tokenizer, model.Config);
        MaxTokens = Math.Min(maxTokens ?? int.MaxValue, model.Config.MaxTokens);
        if (MaxTokens <= SpecialTokens)
            throw new ConfigException($"{model.Architecture} reads at most {MaxTokens} tokens ({Limit}), and the tokenizer puts {SpecialTokens} special ones around a text: " +
                "at least one more is needed. Use the configuration and the tokenizer that were saved with this checkpoint.");
    }

    /// <summary>The most tokens of a row, special tokens included.</summary>
    public int MaxTokens { get; }

    /// <summary>Special tokens around one text.</summary>
    public int SpecialTokens => _template.Single.Count;

    /// <summary>What sets <see cref="MaxTokens"/>.</summary>
    private string Limit => _model.Config switch
    {
        RobertaConfig roberta when MaxTokens == roberta.MaxTokens => $"max_position_embeddings {roberta.MaxPositionEmbeddings}, padding_idx {roberta.PaddingIdx}",
        CodeGenConfig codegen when MaxTokens == codegen.MaxTokens => "n_positions",
        _ when MaxTokens == _model.Config.MaxTokens => "max_position_embeddings",
        _ => "max_seq_length",
    };

    /// <summary>A text's tokens, without special ones, however many.</summary>
    /// <exception cref="ModelInputException">The text has no token.</exception>
    public Encoding Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Encoding encoding = _tokenizer.Encode(text, pair: null, Plain);
        if (encoding.Length == 0)
        {
            throw new ModelInputException(text.Length == 0
                ? "The text is empty; at least one token is needed."
                : $"The text ({text.Length} characters) has no token left after the tokenizer's normalisation; at least one is needed.");
        }
        return encoding;
    }

    /// <summary>One text as a row.</summary>
    /// <exception cref="ModelInputException">The text is empty, or too long and <paramref name="truncation"/> is off.</exception>
    public TokenRow Single(string text, bool truncation, string advice = "Pass Truncation = true, or split it.")
    {
        Encoding encoding = Encode(text);
        int room = MaxTokens - _template.Single.Count;
        if (encoding.Length > room && !truncation)
            throw TooLong("text is", encoding.Length, _template.Single.Count, advice);
        return Wrap(encoding, 0, Math.Min(encoding.Length, room));
    }

    /// <summary>Two texts as one row.</summary>
    /// <exception cref="ModelInputException">A text is empty, or they are too long and <paramref name="truncation"/> is off.</exception>
    public TokenRow Pair(string first, string second, bool truncation)
    {
        (Encoding a, Encoding b) = (Encode(first), Encode(second));
        int room = MaxTokens - _template.Pair.Count;
        if (a.Length + b.Length > room && !truncation)
            throw TooLong("two texts are", a.Length + b.Length, _template.Pair.Count, "Pass Truncation = true, or shorten them.");
        if (room < 2)
            throw new ModelInputException($"{_model.Architecture} reads at most {MaxTokens} tokens ({Limit}), and {_template.Pair.Count} special ones stand around two texts: " +
                "there is no room for a token of each.");
        (int keepA, int keepB) = LongestFirst(a.Length, b.Length, room);
        SpecialTokenTemplate.Form form = _template.Pair;
        var row = new RowBuilder();
        row.Add(form.Before);
        row.Add(a.Ids.AsSpan(0, keepA), type: 0);
        row.Add(form.Between);
        row.Add(b.Ids.AsSpan(0, keepB), form.SecondType);
        row.Add(form.After);
        return row.Build(a, 0, form.Before.Length, keepA);
    }

    /// <summary>A text as windows that overlap.</summary>
    /// <param name="encoding">The text's tokens.</param>
    /// <param name="windowTokens">Tokens per window, special tokens included.</param>
    /// <param name="overlap">Tokens of the text that a window shares with the one before.</param>
    /// <exception cref="ArgumentOutOfRangeException">The window does not fit the model, or has no room for a new token.</exception>
    public IEnumerable<TokenRow> Windows(Encoding encoding, int windowTokens, int overlap)
    {
        int room = windowTokens - _template.Single.Count;
        if (windowTokens > MaxTokens || room < 1)
            throw new ArgumentOutOfRangeException(nameof(windowTokens), $"A window of {windowTokens} tokens was asked for; " +
                $"{_template.Single.Count + 1} … {MaxTokens} are possible ({_template.Single.Count} of them are special tokens).");
        if (overlap < 0 || overlap >= room)
            throw new ArgumentOutOfRangeException(nameof(overlap), $"Windows that share {overlap} tokens were asked for; a window has room for {room}, " +
                $"so 0 … {room - 1} is needed.");
        return Split(encoding, room, overlap);
    }

    /// <summary>Rows of different lengths as a batch with a mask, so that padding is not computed.</summary>
    public ModelInputs ToInputs(IReadOnlyList<TokenRow> rows)
    {
        int width = rows.Max(row => row.Ids.Length);
        var (ids, types, mask) = (new int[rows.Count * width], new int[rows.Count * width], new int[rows.Count * width]);
        Array.Fill(ids, _model.Config.PadTokenId is int pad && (uint)pad < (uint)_model.Config.VocabSize ? pad : 0);
        for (int r = 0; r < rows.Count; r++)
        {
            rows[r].Ids.CopyTo(ids, r * width);
            rows[r].TypeIds.CopyTo(types, r * width);
            mask.AsSpan(r * width, rows[r].Ids.Length).Fill(1);
        }
        // CodeGen would add the embedding of "type 0" to every token: decoders get no segments.
        bool segments = _model.Config is BertConfig { TypeVocabSize: > 1 };
        return new ModelInputs(rows.Count, width) { InputIds = ids, AttentionMask = mask, TokenTypeIds = segments ? types : null };
    }

    private IEnumerable<TokenRow> Split(Encoding encoding, int room, int overlap)
    {
        for (int start = 0; ; start += room - overlap)
        {
            int count = Math.Min(room, encoding.Length - start);
            yield return Wrap(encoding, start, count);
            if (start + count == encoding.Length)
                yield break;
        }
    }

    private TokenRow Wrap(Encoding encoding, int start, int count)
    {
        var row = new RowBuilder();
        row.Add(_template.Single.Before);
        row.Add(encoding.Ids.AsSpan(start, count), type: 0);
        row.Add(_template.Single.After);
        return row.Build(encoding, start, _template.Single.Before.Length, count);
    }

    private ModelInputException TooLong(string subject, int tokens, int special, string advice)
    {
        string with = special > 0 ? $", {special} of them special" : "";
        return new ModelInputException($"The {subject} {tokens + special} tokens{with}; {_model.Architecture} reads at most {MaxTokens} ({Limit}). {advice}");
    }

    /// <summary>How many tokens of two texts stay: the longer one is cut first, then both to halves.</summary>
    /// <remarks>The tokenizers library's truncate_encodings with LongestFirst.</remarks>
    private static (int First, int Second) LongestFirst(int first, int second, int room)
    {
        if (first + second <= room)
            return (first, second);
        (int shorter, int longer) = (Math.Min(first, second), Math.Max(first, second));
        longer = shorter > room ? shorter : Math.Max(shorter, room - shorter);
        if (shorter + longer > room)
            (shorter, longer) = (room / 2, room / 2 + room % 2);
        return first > second ? (longer, shorter) : (shorter, longer);
    }

    private readonly struct RowBuilder()
    {
        private readonly List<int> _ids = [];
        private readonly List<int> _types = [];

        public void Add(SpecialTokenTemplate.SpecialToken[] tokens)
        {
            foreach (SpecialTokenTemplate.SpecialToken token in tokens)
            {
                _ids.Add(token.Id);
                _types.Add(token.Type);
            }
        }

        public void Add(ReadOnlySpan<int> ids, int type)
        {
            _ids.AddRange(ids);
            _types.AddRange(Enumerable.Repeat(type, ids.Length));
        }

        public TokenRow Build(Encoding text, int firstToken, int textColumn, int textTokens) =>
            new([.. _ids], [.. _types], text, firstToken, textColumn, textTokens);
    }
}
