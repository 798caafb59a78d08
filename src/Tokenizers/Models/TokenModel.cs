using System.Diagnostics.CodeAnalysis;

namespace ManagedTransformers.Tokenizers;


/// <summary>A token of a word: its id and the part of the word (UTF-16 units) that it stands for.</summary>
internal readonly record struct TokenSpan(int Id, int Start, int End);

/// <summary>Splits words into tokens of a vocabulary.</summary>
internal abstract class TokenModel(Vocabulary vocabulary)
{
    private readonly WordCache<TokenSpan[]> _cache = new();

    public Vocabulary Vocabulary { get; } = vocabulary;

    /// <summary>The token that an encoding shows as the text that it stands for; −1: none.</summary>
    public virtual int ShownAsText => -1;

    /// <summary>How much of a word, from its beginning, can be split by itself, whatever comes after it. Parts of long words come again, whole ones do
    /// not.</summary>
    public virtual int EndOfPart(ReadOnlySpan<char> word) => word.Length;

    /// <summary>The tokens of a word or of a part of it; the array may be shared and must not be written to.</summary>
    public TokenSpan[] Tokenize(ReadOnlySpan<char> word, CancellationToken cancellationToken)
    {
        if (_cache.TryGet(word, out TokenSpan[]? tokens)) return tokens;
        tokens = Split(word, cancellationToken);
        _cache.Add(word, tokens);
        return tokens;
    }

    /// <summary>The tokens of a word that is not in the cache.</summary>
    protected abstract TokenSpan[] Split(ReadOnlySpan<char> word, CancellationToken cancellationToken);
}

/// <summary>The tokens of a model and their ids, both ways.</summary>
internal sealed class Vocabulary
{
    // Ids that lie close together live in an array; a file may also name id 2,000,000,000, which must not cost memory.
    private const int SparseSlack = 1 << 20;

    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _idsBySpan;
    private readonly string?[] _tokens;
    private readonly Dictionary<int, string> _farTokens = [];

    /// <summary>A vocabulary of these tokens.</summary>
    /// <param name="ids">Id of every token.</param>
    /// <param name="source">The file, for the message.</param>
    /// <exception cref="TokenizerException">Two tokens have one id, or an id is negative.</exception>
    public Vocabulary(Dictionary<string, int> ids, string source)
    {
        _ids = ids;
        _idsBySpan = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        int near = 2 * ids.Count + SparseSlack;
        int size = 0;
        foreach (int id in ids.Values)
            if (id < near) size = Math.Max(size, id + 1);
        _tokens = new string?[size];
        foreach ((string token, int id) in ids)
        {
            if (id < 0) throw new TokenizerException($"{source}: token {Show(token)} has id {id}; ids are 0 and more.");
            string? other = TokenOf(id);
            if (other is not null)
                throw new TokenizerException($"{source}: id {id} belongs to {Show(other)} and to {Show(token)}; every token needs an id of its own. " +
                    "The vocabulary is damaged.");
            if (id < size) _tokens[id] = token;
            else _farTokens.Add(id, token);
            MaxTokenLength = Math.Max(MaxTokenLength, token.Length);
        }
    }

    public int Count => _ids.Count;

    /// <summary>Length of the longest token, in UTF-16 units.</summary>
    public int MaxTokenLength { get; }

    public IReadOnlyDictionary<string, int> Ids => _ids;

    public bool TryGetId(ReadOnlySpan<char> token, out int id) => _idsBySpan.TryGetValue(token, out id);

    public string? TokenOf(int id) => (uint)id < (uint)_tokens.Length ? _tokens[id] : _farTokens.GetValueOrDefault(id);

    /// <summary>A token for a message: short, in quotes, control characters made visible.</summary>
    [return: NotNullIfNotNull(nameof(token))]
    public static string? Show(string? token)
    {
        if (token is null) return null;
        string shortened = token.Length > 60 ? token[..60] + "…" : token;
        return "\"" + string.Concat(shortened.Select(c => char.IsControl(c) ? $"\\u{(int)c:x4}" : c.ToString())) + "\"";
    }
}
