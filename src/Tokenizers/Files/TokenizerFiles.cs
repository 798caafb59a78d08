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
        ArgumentNullException.ThrowIfNull(directory);
        if (!Directory.Exists(directory))
            throw new TokenizerException($"{directory} is not a directory. Give the directory that holds tokenizer.json, or vocab.json and merges.txt, " +
                "or vocab.txt.");
        var roots = new DirectoryRoots(directory);
        return new TokenizerFiles(name => ReadFile(Path.Combine(directory, name), roots), directory);
    }

    /// <summary>Is there such a file?</summary>
    /// <exception cref="TokenizerException">There is one that cannot be read.</exception>
    public bool Has(string name) => Find(name) is not null;

    /// <summary>The bytes of a file.</summary>
    /// <exception cref="TokenizerException">It is missing or cannot be read.</exception>
    public ReadOnlyMemory<byte> Bytes(string name) => Find(name) ?? throw new TokenizerException($"{name} is missing in {Place}.");

    /// <summary>A file as JSON; its root must be an object.</summary>
    /// <exception cref="TokenizerException">It is missing or broken.</exception>
    public JsonPart Json(string name) =>
        new JsonPart(JsonText.Parse($"{name} in {Place}", Bytes(name), Error).RootElement, name, Error).Object();

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

    private static TokenizerException Error(string message, Exception? inner) => new(message, inner);

    private ReadOnlyMemory<byte>? Find(string name)
    {
        if (!_files.TryGetValue(name, out ReadOnlyMemory<byte>? bytes))
        {
            bytes = _read(name);
            _files.Add(name, bytes);
        }
        return bytes;
    }

    private static ReadOnlyMemory<byte>? ReadFile(string path, DirectoryRoots roots)
    {
        if (Directory.Exists(path)) throw new TokenizerException($"{path} is a directory; a file of that name is needed, or none.");
        if (!File.Exists(path) && new FileInfo(path).LinkTarget is null) return null;
        try
        {
            string real = RealPath.Of(path);
            if (!roots.Contain(real))
                throw new TokenizerException($"{path} is a link to {real}, outside the directory. " +
                    "Nothing is read from there: copy the file, or open the directory that holds it.");
            long length = new FileInfo(real).Length;
            if (length > LargestFile)
                throw new TokenizerException($"{path} has {length} bytes; a tokenizer's file has at most {LargestFile}. It is something else.");
            // Opening a pipe, which has no length, would wait for a writer.
            return length == 0 ? ReadOnlyMemory<byte>.Empty : File.ReadAllBytes(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TokenizerException($"{path} cannot be read: {e.Message}", e);
        }
    }
}
