namespace ManagedTransformers.Tokenizers;

/// <summary>The files of a tokenizer, by name; each is read when it is first asked for.</summary>
internal sealed class TokenizerFiles
{
    public const string TokenizerJson = "tokenizer.json";
    public const string TokenizerConfigJson = "tokenizer_config.json";
    public const string SpecialTokensMapJson = "special_tokens_map.json";
    public const string VocabJson = "vocab.json";
    public const string MergesTxt = "merges.txt";
    public const string AddedTokensJson = "added_tokens.json";
    public const string VocabTxt = "vocab.txt";
    public const string ConfigJson = "config.json";

    /// <summary>SentencePiece's models by the names that transformers gives them: Llama's, XLM-R's and CamemBERT's.</summary>
    public static readonly string[] SentencePieceModels = ["tokenizer.model", "sentencepiece.bpe.model"];

    // The largest tokenizers have files of some 20 MB.
    private const long LargestFile = 512L << 20;

    private readonly Func<string, ReadOnlyMemory<byte>?> _read;
    private readonly Dictionary<string, ReadOnlyMemory<byte>?> _files = [];

    private TokenizerFiles(Func<string, ReadOnlyMemory<byte>?> read, string place)
    {
        _read = read;
        Place = place;
    }

    /// <summary>Files that are in memory.</summary>
    public TokenizerFiles(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> files, string place)
        : this(name => files.TryGetValue(name, out ReadOnlyMemory<byte> bytes) ? bytes : default(ReadOnlyMemory<byte>?), place)
    {
    }

    /// <summary>Where the files are from, for messages.</summary>
    public string Place { get; }

    /// <summary>The files of a directory; only those with the names above are ever read.</summary>
    /// <exception cref="TokenizerException">The directory is missing.</exception>
    public static TokenizerFiles Read(string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(directory);
        if (!Directory.Exists(directory)) throw new TokenizerException(MissingDirectory.Describe(directory));
        string full = Path.GetFullPath(directory);
        var roots = new DirectoryRoots(full);
        return new TokenizerFiles(name => ReadFile(full, name, roots), full);
    }

    /// <summary>Is there such a file?</summary>
    /// <exception cref="TokenizerException">There is one that cannot be read.</exception>
    public bool Has(string name) => Find(name) is not null;

    /// <summary>The bytes of a file.</summary>
    /// <exception cref="TokenizerException">It is missing or cannot be read.</exception>
    public ReadOnlyMemory<byte> Bytes(string name) => Find(name) ?? throw new TokenizerException($"{name} is missing in {Place}.");

    /// <summary>A file as JSON; its root must be an object.</summary>
    /// <exception cref="TokenizerException">It is missing or broken.</exception>
    /// <exception cref="ConfigException">It is config.json, and broken.</exception>
    public JsonPart Json(string name) =>
        new JsonPart(JsonText.Parse($"{name} in {Place}", Bytes(name), ErrorOf(name)).RootElement, name, ErrorOf(name)).Object();

    /// <summary>A text file as lines, which end with \n or \r\n.</summary>
    /// <exception cref="TokenizerException">It is missing or not UTF-8.</exception>
    public List<string> Lines(string name)
    {
        string text;
        try
        {
            text = new System.Text.UTF8Encoding(false, throwOnInvalidBytes: true).GetString(Bytes(name).Span);
        }
        catch (System.Text.DecoderFallbackException e)
        {
            throw new TokenizerException($"{name} in {Place} is not UTF-8 at byte {e.Index}. The file is damaged or is something else: get it again.", e);
        }
        List<string> lines = [.. text.TrimStart('\uFEFF').Split('\n').Select(line => line.EndsWith('\r') ? line[..^1] : line)];
        if (lines[^1].Length == 0) lines.RemoveAt(lines.Count - 1);
        return lines;
    }

    /// <summary>config.json is the model's, which a tokenizer only looks into.</summary>
    private static JsonError ErrorOf(string name) =>
        name == ConfigJson ? ConfigException.Of : (message, inner) => new TokenizerException(message, inner);

    private ReadOnlyMemory<byte>? Find(string name)
    {
        if (!_files.TryGetValue(name, out ReadOnlyMemory<byte>? bytes))
        {
            bytes = _read(name);
            if (bytes is { } read && GitLfsPointer.Problem($"{name} in {Place}", read.Span) is string pointer) throw ErrorOf(name)(pointer);
            _files.Add(name, bytes);
        }
        return bytes;
    }

    private static ReadOnlyMemory<byte>? ReadFile(string directory, string name, DirectoryRoots roots)
    {
        string path = Path.Combine(directory, name);
        JsonError error = ErrorOf(name);
        if (Directory.Exists(path)) throw error($"{path} is a directory; a file of that name is needed, or none.");
        if (!File.Exists(path) && new FileInfo(path).LinkTarget is null) return null;
        try
        {
            string real = RealPath.Of(path);
            if (!roots.Contain(real))
                throw error($"{path} is a link to {real}, outside the directory. " +
                    "Nothing is read from there: copy the file, or open the directory that holds it.");
            long length = new FileInfo(real).Length;
            if (length > LargestFile)
                throw error($"{path} has {length} bytes; a tokenizer's file has at most {LargestFile}. It is something else.");
            // Opening a pipe, which has no length, would wait for a writer.
            return length == 0 ? ReadOnlyMemory<byte>.Empty : File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw error($"{path} cannot be read: {e.Message}", e);
        }
    }
}
