using System.Diagnostics;

namespace ManagedTransformers.Tokenizers;


/// <summary>The added tokens of a tokenizer: found in a text before anything else is done with it, and named when decoding.</summary>
internal sealed class AddedVocabulary
{
    private readonly Normalizer? _normalizer;
    private readonly Dictionary<int, AddedToken> _byId = [];
    private readonly Dictionary<string, int> _ids = [];
    private readonly HashSet<string> _special = [];
    private readonly Func<AddedToken, bool> _isText = _ => false;
    private readonly TokenSearch _asGiven;
    private readonly TokenSearch _normalized;

    /// <summary>Added tokens with the ids that the library gives them: those of the model for tokens that the model has; the others are numbered upwards from
    /// the model's size, in the order of the file, whatever ids the file says.</summary>
    /// <exception cref="TokenizerException">There are no more ids.</exception>
    public AddedVocabulary(IEnumerable<AddedToken> tokens, Vocabulary vocabulary, Normalizer? normalizer)
    {
        _normalizer = normalizer;
        int highest = -1;
        foreach (AddedToken token in tokens)
        {
            if (token.Content.Length == 0) continue;
            if (token.Special) _special.Add(token.Content);
            if (!_ids.TryGetValue(token.Content, out int id) && !vocabulary.TryGetId(token.Content, out id))
                id = highest < vocabulary.Count ? vocabulary.Count : highest < int.MaxValue ? highest + 1 : throw new TokenizerException(
                    $"The added token {Vocabulary.Show(token.Content)} gets the id after the highest, which is {highest}: there is none. Correct the ids.");
            highest = Math.Max(highest, id);
            _ids[token.Content] = id;
            _byId[id] = token with { Id = id };
        }

        (_asGiven, _normalized) = Searches(_byId.Values);
    }

    private AddedVocabulary(AddedVocabulary other, Func<AddedToken, bool> isText, Normalizer? normalizer)
    {
        (_byId, _ids, _special, _normalizer) = (other._byId, other._ids, other._special, normalizer);
        _isText = token => other._isText(token) || isText(token);
        (_asGiven, _normalized) = Searches(_byId.Values.Where(token => !_isText(token)));
    }

    public IReadOnlyDictionary<int, AddedToken> ById => _byId;

    /// <summary>Rewrites what is between the added tokens; null: nothing does.</summary>
    public Normalizer? Normalizer => _normalizer;

    /// <summary>Are tokens searched for in the normalised text?</summary>
    public bool SearchesNormalized => !_normalized.IsEmpty;

    public bool TryGetId(string token, out int id) => _ids.TryGetValue(token, out id);

    /// <summary>Is it left out when special tokens are?</summary>
    public bool IsSpecial(string token) => _special.Contains(token);

    /// <summary>The same tokens with the same ids, some of which are not found in texts, and another normalizer.</summary>
    public AddedVocabulary With(Func<AddedToken, bool> isText, Normalizer? normalizer) => new(this, isText, normalizer);

    /// <summary>Takes the added tokens out of a well-formed text; what is between them is normalised and goes, in order, to
    /// <paramref name="tokens"/>.</summary>
    public void Extract(ReadOnlySpan<char> text, ITokenSink tokens, CancellationToken cancellationToken)
    {
        var given = new AlignedText(text);
        var matches = new MatchReader(this, _asGiven, text);
        while (matches.TryRead(out Match match))
        {
            if (match.Id >= 0) tokens.AddToken(match.Id, given, match.Start, match.End);
            else if (!tokens.TryAddAsGiven(text[match.Start..match.End])) ExtractNormalized(given, match.Start, match.End, tokens, cancellationToken);
        }
    }

    /// <summary>The same for a text that has none of the tokens that are searched for in the text as given.</summary>
    public void ExtractNormalized(ReadOnlySpan<char> text, ITokenSink tokens, CancellationToken cancellationToken) =>
        ExtractNormalized(new AlignedText(text), 0, text.Length, tokens, cancellationToken);

    /// <summary>A text as the normaliser makes it.</summary>
    public string Normalize(string content) => _normalizer is null ? content : _normalizer.NormalizeText(content, CancellationToken.None);

    private void ExtractNormalized(in AlignedText given, int start, int end, ITokenSink tokens, CancellationToken cancellationToken)
    {
        AlignedText part = given;
        if (_normalizer is not null && !_normalizer.LeavesAsIs(given.Value[start..end]))
        {
            if (tokens.NeedsOffsets)
            {
                var normalized = new NormalizedText(given.Value, start, end, cancellationToken);
                _normalizer.Normalize(normalized);
                part = normalized.ToAligned();
            }
            else
            {
                part = new AlignedText(_normalizer.NormalizeText(given.Value[start..end].ToString(), cancellationToken));
            }
            (start, end) = (0, part.Value.Length);
        }
        var matches = new MatchReader(this, _normalized, part.Value[start..end]);
        while (matches.TryRead(out Match match))
        {
            if (match.Id >= 0) tokens.AddToken(match.Id, part, start + match.Start, start + match.End);
            else tokens.AddText(part, start + match.Start, start + match.End);
        }
    }

    private (TokenSearch AsGiven, TokenSearch Normalized) Searches(IEnumerable<AddedToken> tokens)
    {
        // Special tokens first: of equal patterns the first is found.
        AddedToken[] ordered = [.. tokens.OrderBy(t => !_special.Contains(t.Content))];
        long grown = 0;
        return (
            new TokenSearch(ordered.Where(t => !t.Normalized).Select(t => (t.Content, t.Id))),
            new TokenSearch(ordered.Where(t => t.Normalized).Select(t => (Normalized(t, ref grown), t.Id))));
    }

    // What the normaliser makes of a token. It may add at most MostGrown characters to all of them.
    private string Normalized(AddedToken token, ref long grown)
    {
        const int MostGrown = 1 << 22;
        string normalized = Normalize(token.Content);
        TokenSearch.RequireShort(normalized, token.Id);
        grown += Math.Max(0, normalized.Length - token.Content.Length);
        return grown <= MostGrown ? normalized : throw new TokenizerException(
            $"The normalizer makes more than {MostGrown} characters of the added tokens that they do not have. " +
            "Set \"normalized\" to false in added_tokens, or leave out the Replace and Prepend that lengthen them.");
    }

    private static bool StandsAlone(ReadOnlySpan<char> text, int start, int end) =>
        (start == 0 || !CodePoints.Is(CodePoints.Before(text, start), CodePointClass.Word))
        && (end == text.Length || !CodePoints.Is(CodePoints.At(text, end, out _), CodePointClass.Word));

    /// <summary>A part of a text: an added token, or (−1) what is between two.</summary>
    private readonly record struct Match(int Start, int End, int Id);

    /// <summary>Gives tokens and what is between them, in order; find_matches of the library.</summary>
    private ref struct MatchReader(AddedVocabulary added, TokenSearch search, ReadOnlySpan<char> text)
    {
        private readonly ReadOnlySpan<char> _text = text;
        private int _done;          // everything before it was given
        private int _next;          // where the search goes on
        private Match _token;       // found, and given after what is before it

        public bool TryRead(out Match match)
        {
            match = _token;
            _token = default;
            if (match.End > 0) return true;
            while (search.TryFind(_text, _next, out int start, out int end, out int id))
            {
                _next = end;
                AddedToken token = added._byId[id];
                if (token.SingleWord && !StandsAlone(_text, start, end)) continue;
                // White space that the token before took is looked at once: else a run of it, and a token in it, would be looked at from each of its places.
                if (token.LStrip) start = _done < start ? _done + _text[_done..start].TrimEnd(CodePointClass.Space) : _done;
                if (token.RStrip) end = end < _done ? _done : end + _text[end..].TrimStart(CodePointClass.Space);
                if (start >= end) continue;         // a token of white space, all of which the one before took
                match = new Match(start, end, id);
                if (_done < start) (_token, match) = (match, new Match(_done, start, -1));
                _done = end;
                return true;
            }
            match = new Match(_done, _text.Length, -1);
            _done = _next = _text.Length;
            return match.Start != match.End;
        }
    }
}

/// <summary>White space at the ends of spans.</summary>
internal static class WhiteSpaceSpans
{
    /// <summary>How many units at the start are of the class.</summary>
    public static int TrimStart(this ReadOnlySpan<char> text, CodePointClass any)
    {
        int i = 0;
        while (i < text.Length && CodePoints.Is(text[i], any)) i++;
        return i;
    }

    /// <summary>Where the units of the class at the end begin.</summary>
    public static int TrimEnd(this ReadOnlySpan<char> text, CodePointClass any)
    {
        int i = text.Length;
        while (i > 0 && CodePoints.Is(text[i - 1], any)) i--;
        return i;
    }
}

/// <summary>A token that is found in the text as a whole, before the model splits the rest; Hugging Face's AddedToken.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text.</param>
[DebuggerDisplay("{Id}: {Content}")]
public sealed record AddedToken(int Id, string Content)
{
    /// <summary>Left out when decoding with <see cref="DecodeOptions.SkipSpecialTokens"/>.</summary>
    public bool Special { get; init; }

    /// <summary>Searched for in the normalised text (true) or in the text as given (false).</summary>
    public bool Normalized { get; init; }

    /// <summary>Takes the white space on its left with it.</summary>
    public bool LStrip { get; init; }

    /// <summary>Takes the white space on its right with it.</summary>
    public bool RStrip { get; init; }

    /// <summary>Found only where no word character stands next to it.</summary>
    public bool SingleWord { get; init; }
}

/// <summary>The tokens with a role, as tokenizer_config.json and special_tokens_map.json name them; null where there is none.</summary>
[DebuggerDisplay("{Summary,nq}")]
public sealed record SpecialTokens
{
    /// <summary>None at all.</summary>
    public static SpecialTokens None { get; } = new();

    /// <summary>Beginning of a text.</summary>
    public string? BosToken { get; init; }

    /// <summary>End of a text.</summary>
    public string? EosToken { get; init; }

    /// <summary>What the vocabulary does not know.</summary>
    public string? UnkToken { get; init; }

    /// <summary>Between two texts.</summary>
    public string? SepToken { get; init; }

    /// <summary>Fills a batch up to equal lengths.</summary>
    public string? PadToken { get; init; }

    /// <summary>Stands for the whole text.</summary>
    public string? ClsToken { get; init; }

    /// <summary>Hides a token that the model is to predict.</summary>
    public string? MaskToken { get; init; }

    /// <summary>Further tokens with a meaning of their own.</summary>
    public IReadOnlyList<string> AdditionalSpecialTokens { get; init; } = [];

    /// <summary>Id of <see cref="BosToken"/>; null where there is none.</summary>
    public int? BosTokenId { get; init; }

    /// <summary>Id of <see cref="EosToken"/>; null where there is none.</summary>
    public int? EosTokenId { get; init; }

    /// <summary>Id of <see cref="UnkToken"/>; null where there is none.</summary>
    public int? UnkTokenId { get; init; }

    /// <summary>Id of <see cref="SepToken"/>; null where there is none.</summary>
    public int? SepTokenId { get; init; }

    /// <summary>Id of <see cref="PadToken"/>; null where there is none.</summary>
    public int? PadTokenId { get; init; }

    /// <summary>Id of <see cref="ClsToken"/>; null where there is none.</summary>
    public int? ClsTokenId { get; init; }

    /// <summary>Id of <see cref="MaskToken"/>; null where there is none.</summary>
    public int? MaskTokenId { get; init; }

    /// <summary>Those that there are, for debugger views: <c>bos &lt;s> 0, eos &lt;/s> 2</c>.</summary>
    [DebuggerBrowsable(DebuggerBrowsableState.Never)]
    internal string Summary
    {
        get
        {
            (string Role, string? Token, int? Id)[] all =
            [
                ("bos", BosToken, BosTokenId), ("eos", EosToken, EosTokenId), ("unk", UnkToken, UnkTokenId), ("sep", SepToken, SepTokenId),
                ("pad", PadToken, PadTokenId), ("cls", ClsToken, ClsTokenId), ("mask", MaskToken, MaskTokenId),
            ];
            string[] named = [.. all.Where(one => one.Token is not null).Select(one => $"{one.Role} {one.Token} {one.Id}".TrimEnd())];
            return named.Length == 0 ? "none" : string.Join(", ", named);
        }
    }
}
