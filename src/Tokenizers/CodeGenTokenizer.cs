using System.Text.RegularExpressions;

namespace ManagedTransformers.Tokenizers;


/// <summary>Parameters of transformers' CodeGenTokenizer; null where the files decide.</summary>
public sealed record CodeGenTokenizerOptions
{
    /// <summary>Behaves as CodeGenTokenizerFast (true) or as the slow CodeGenTokenizer; they differ in how split words and prefix spaces are treated.</summary>
    public bool Fast { get; init; } = true;

    /// <summary>errors: what decoding does with bytes that are not UTF-8.</summary>
    public InvalidUtf8 Errors { get; init; } = InvalidUtf8.Replace;

    /// <summary>unk_token; <c>&lt;|endoftext|&gt;</c> where nothing says otherwise.</summary>
    public string? UnkToken { get; init; }

    /// <summary>bos_token; <c>&lt;|endoftext|&gt;</c> where nothing says otherwise.</summary>
    public string? BosToken { get; init; }

    /// <summary>eos_token; <c>&lt;|endoftext|&gt;</c> where nothing says otherwise.</summary>
    public string? EosToken { get; init; }

    /// <summary>pad_token; none where nothing says otherwise.</summary>
    public string? PadToken { get; init; }

    /// <summary>add_prefix_space: a text is taken as if a space stood before it.</summary>
    public bool? AddPrefixSpace { get; init; }

    /// <summary>add_bos_token: the bos token is put before every text. The fast tokenizer refuses, as in transformers.</summary>
    public bool? AddBosToken { get; init; }

    /// <summary>return_token_type_ids: <see cref="CodeGenInputs.TokenTypeIds"/> are made.</summary>
    public bool ReturnTokenTypeIds { get; init; }
}

/// <summary>What a call of transformers' CodeGenTokenizer gives.</summary>
/// <param name="InputIds">Token ids, [tokens].</param>
/// <param name="AttentionMask">All 1, [tokens].</param>
/// <param name="TokenTypeIds">0 for the first text, 1 for the second, [tokens]; null unless asked for.</param>
public sealed record CodeGenInputs(int[] InputIds, int[] AttentionMask, int[]? TokenTypeIds);

/// <summary>What transformers' CodeGenTokenizer and CodeGenTokenizerFast offer, around a <see cref="Tokenizers.Tokenizer"/>. Immutable and
/// thread-safe.</summary>
public sealed class CodeGenTokenizer
{
    private readonly CodeGenTokenizerOptions _options;
    private readonly bool _addPrefixSpace;
    private readonly bool _addBosToken;

    /// <summary>Wraps a tokenizer of GPT-2's kind.</summary>
    /// <exception cref="TokenizerException">It is of another kind, or the options name tokens that it does not have.</exception>
    public CodeGenTokenizer(Tokenizer tokenizer, CodeGenTokenizerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        _options = options ?? new CodeGenTokenizerOptions();
        if (tokenizer.Parts is not { Model: Bpe { Options.ByteLevel: true }, PreTokenizer: ByteLevelPreTokenizer split })
            throw new TokenizerException("CodeGenTokenizer needs a byte-level BPE as GPT-2 has it (model BPE, pre_tokenizer ByteLevel); " +
                "this tokenizer is of another kind. Use it as a Tokenizer.");
        _addPrefixSpace = _options.AddPrefixSpace ?? split.AddPrefixSpace;
        _addBosToken = _options.AddBosToken ?? false;
        if (_addBosToken && _options.Fast)
            throw new TokenizerException("The fast CodeGen tokenizer does not add a bos token (add_bos_token). " +
                "Set CodeGenTokenizerOptions.Fast = false, as transformers asks for the slow CodeGenTokenizer.");

        // The slow tokenizer puts its own space before a text, even where there is one.
        TokenizerParts parts = tokenizer.Parts with
        {
            PreTokenizer = new ByteLevelPreTokenizer(_addPrefixSpace && _options.Fast, split.UseRegex),
            SpecialTokens = Roles(tokenizer),
        };
        Tokenizer = new Tokenizer(TokenizerLoader.WithEnds(parts, _addBosToken, eos: false));
    }

    /// <summary>The tokenizer inside.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>Loads the tokenizer of a CodeGen directory.</summary>
    /// <exception cref="TokenizerException">A file is missing or bad.</exception>
    public static CodeGenTokenizer Load(string directory, CodeGenTokenizerOptions? options = null) => new(Tokenizer.Load(directory), options);

    /// <summary>Loads a tokenizer from its two files: vocab_file and merges_file.</summary>
    /// <exception cref="TokenizerException">A file is missing or bad.</exception>
    public static CodeGenTokenizer FromFiles(string vocabFile, string mergesFile, CodeGenTokenizerOptions? options = null)
    {
        var files = new Dictionary<string, ReadOnlyMemory<byte>>
        {
            [TokenizerFiles.VocabJson] = ReadFile(vocabFile),
            [TokenizerFiles.MergesTxt] = ReadFile(mergesFile),
        };
        return new CodeGenTokenizer(Tokenizer.FromFiles(files, new TokenizerLoadOptions { ModelType = "codegen" }), options);
    }

    /// <summary>Encodes a text, or a pair of texts.</summary>
    /// <exception cref="TokenizerException">Truncation is impossible as asked.</exception>
    public CodeGenInputs Encode(string text, string? pair = null, EncodeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(text);
        return Inputs(Tokenizer.Encode(Prepare(text, isSplitIntoWords: false), pair is null ? null : Prepare(pair, isSplitIntoWords: false), options));
    }

    /// <summary>Encodes words (is_split_into_words): each as if a space stood before it.</summary>
    /// <exception cref="TokenizerException">The tokenizer is the fast one and has no AddPrefixSpace.</exception>
    public CodeGenInputs EncodeWords(IReadOnlyList<string> words, EncodeOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(words);
        if (_options.Fast && !_addPrefixSpace)
            throw new TokenizerException("The fast CodeGen tokenizer takes split words (is_split_into_words) only with AddPrefixSpace = true: " +
                "create it so, or join the words to one text.");
        return Inputs(Tokenizer.EncodeWords([.. words.Select(word => Prepare(word, isSplitIntoWords: true))], options: options));
    }

    /// <summary>token_type_ids for ids without special tokens: 0 for the first text, 1 for the second.</summary>
    public int[] CreateTokenTypeIdsFromSequences(IReadOnlyList<int> tokenIds0, IReadOnlyList<int>? tokenIds1 = null)
    {
        ArgumentNullException.ThrowIfNull(tokenIds0);
        int sep = Tokenizer.SpecialTokens.SepTokenId is null ? 0 : 1;
        int cls = sep;      // transformers asks for the sep token here too
        int first = cls + tokenIds0.Count + sep;
        return tokenIds1 is null ? new int[first] : [.. new int[first], .. TokenEncoding.Filled(tokenIds1.Count + sep, 1)];
    }

    /// <summary>Ids as text.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="skipSpecialTokens">Leaves special tokens out.</param>
    /// <param name="cleanUpTokenizationSpaces">Takes spaces before punctuation away; null: as tokenizer_config.json says.</param>
    /// <param name="truncateBeforePattern">Patterns to cut the text at, as transformers' CodeGenTokenizer.truncate does; null or empty: it is not cut.</param>
    /// <exception cref="TokenizerException">A pattern is wrong or takes too long.</exception>
    public string Decode(
        ReadOnlySpan<int> ids, bool skipSpecialTokens = false, bool? cleanUpTokenizationSpaces = null, IReadOnlyList<string>? truncateBeforePattern = null)
    {
        string text = Tokenizer.Decode(ids, new DecodeOptions
        {
            SkipSpecialTokens = skipSpecialTokens,
            CleanUpTokenizationSpaces = cleanUpTokenizationSpaces ?? Tokenizer.CleanUpTokenizationSpaces,
            Errors = _options.Errors,
        });
        return truncateBeforePattern is { Count: > 0 } ? CompletionTruncation.Truncate(text, truncateBeforePattern) : text;
    }

    /// <summary>Writes vocab.json and merges.txt (of the model, without added tokens), which load to the same model.</summary>
    /// <param name="directory">An existing directory.</param>
    /// <param name="filenamePrefix">Put before the names, with a hyphen; null for none.</param>
    /// <returns>The paths of the two files.</returns>
    /// <exception cref="TokenizerException">The directory does not exist, or a token cannot be written to merges.txt.</exception>
    public IReadOnlyList<string> SaveVocabulary(string directory, string? filenamePrefix = null) =>
        VocabularyWriter.Write((Bpe)Tokenizer.Parts.Model, directory, filenamePrefix);

    private CodeGenInputs Inputs(TokenEncoding encoding) => new(encoding.Ids, encoding.AttentionMask, _options.ReturnTokenTypeIds ? encoding.TypeIds : null);

    private string Prepare(string text, bool isSplitIntoWords) => !_options.Fast && (isSplitIntoWords || _addPrefixSpace) ? " " + text : text;

    private SpecialTokens Roles(Tokenizer tokenizer)
    {
        SpecialTokens roles = tokenizer.SpecialTokens;
        (string? unk, int? unkId) = Role(tokenizer, _options.UnkToken, roles.UnkToken ?? "<|endoftext|>");
        (string? bos, int? bosId) = Role(tokenizer, _options.BosToken, roles.BosToken);
        (string? eos, int? eosId) = Role(tokenizer, _options.EosToken, roles.EosToken);
        (string? pad, int? padId) = Role(tokenizer, _options.PadToken, roles.PadToken);
        roles = roles with { UnkToken = unk, UnkTokenId = unkId, BosToken = bos, BosTokenId = bosId };
        return roles with { EosToken = eos, EosTokenId = eosId, PadToken = pad, PadTokenId = padId };
    }

    private static (string?, int?) Role(Tokenizer tokenizer, string? asked, string? usual)
    {
        string? token = asked ?? usual;
        if (token is null) return (null, null);
        int? id = tokenizer.TokenToId(token);
        if (id is null && asked is not null)
            throw new TokenizerException($"The special token {Vocabulary.Show(asked)} is not in the vocabulary of {tokenizer.VocabularySize} tokens. " +
                "Name one that is.");
        return id is null ? (null, null) : (token, id);
    }

    private static byte[] ReadFile(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TokenizerException($"{path} cannot be read: {e.Message}", e);
        }
    }
}

/// <summary>Cuts what a model wrote where its next program part begins: truncate_before_pattern.</summary>
/// <remarks>transformers' CodeGenTokenizer.truncate.</remarks>
internal static partial class CompletionTruncation
{
    private const RegexOptions Multiline = RegexOptions.Multiline | RegexOptions.CultureInvariant;

    // A pattern comes from a user; one with nested repetition could run for ever.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Cuts a completion before the second top-level print, then before the second def, then at the earliest match of any pattern.</summary>
    /// <param name="completion">The text.</param>
    /// <param name="patterns">Regular expressions as Python's re reads them with MULTILINE.</param>
    /// <exception cref="TokenizerException">A pattern is wrong or takes too long.</exception>
    public static string Truncate(string completion, IReadOnlyList<string> patterns)
    {
        ArgumentNullException.ThrowIfNull(completion);
        ArgumentNullException.ThrowIfNull(patterns);
        Regex[] terminals = [.. patterns.Select(Compile)];
        completion = BeforeSecondLine(completion, "print");
        completion = BeforeSecondLine(completion, "def");
        int earliest = completion.Length;
        foreach (Regex terminal in terminals)
        {
            try
            {
                if (terminal.Match(completion) is { Success: true } match) earliest = Math.Min(earliest, match.Index);
            }
            catch (RegexMatchTimeoutException e)
            {
                throw new TokenizerException(
                    $"The pattern {Vocabulary.Show(e.Pattern)} of truncate_before_pattern took longer than {Patience.TotalSeconds} s on a text of " +
                    $"{completion.Length} characters. Write it without nested repetition.", e);
            }
        }
        return completion[..earliest];
    }

    // "^print" and "^def" of the original, with re.MULTILINE: a line that starts so.
    private static string BeforeSecondLine(string text, string start)
    {
        bool found = false;
        for (int line = 0; ; line++)
        {
            if (text.AsSpan(line).StartsWith(start, StringComparison.Ordinal))
            {
                if (found) return text[..line];
                found = true;
            }
            line = text.IndexOf('\n', line);
            if (line < 0) return text;
        }
    }

    private static Regex Compile(string pattern)
    {
        try
        {
            return new Regex(FromPython(pattern), Multiline, Patience);
        }
        catch (ArgumentException e)
        {
            throw new TokenizerException($"The pattern {Vocabulary.Show(pattern)} of truncate_before_pattern is not a regular expression: {e.Message}", e);
        }
    }

    /// <summary>Python's spelling of what .NET spells differently: \Z, (?P&lt;name&gt;…), (?P=name), {,n}.</summary>
    internal static string FromPython(string pattern) => PythonSpelling().Replace(pattern, match => match.Value switch
    {
        @"\Z" => @"\z",
        "(?P<" => "(?<",
        "{," => "{0,",
        var escaped when escaped[0] == '\\' => escaped,
        _ => @"\k<" + match.Groups["name"].Value + ">",
    });

    // The first alternative takes every escaped character along, so that none is taken for a piece of syntax.
    [GeneratedRegex(@"\\.|\(\?P<|\(\?P=(?<name>\w+)\)|\{,(?=\d+\})", RegexOptions.Singleline | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 2000)]
    private static partial Regex PythonSpelling();
}
