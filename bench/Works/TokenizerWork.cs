using System.Text;
using FastBertTokenizer;
using ManagedTransformers.Kernels;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Bench;

/// <summary>The ids of 10 MB of source text: this repository's own, repeated. On one thread as one text, interleaved with other tokenizers of .NET; on more as
/// a batch of its files.</summary>
internal sealed class TokenizerWork : Work
{
    private const int TextBytes = 10_000_000;

    private readonly Func<Action> _prepare;
    private Action? _run;

    private TokenizerWork(string name, KernelOptions kernels, Func<Action> prepare) : base(name, kernels) => _prepare = prepare;

    /// <summary>WordPiece next to FastBertTokenizer, byte-level BPE next to Microsoft.ML.Tokenizers.</summary>
    public static IEnumerable<Work> All(KernelOptions kernels)
    {
        string wordPiece = Path.Combine(AppContext.BaseDirectory, "data", "wordpiece"), bpe = Path.Combine(AppContext.BaseDirectory, "data");
        return
        [
            Of("WordPiece", wordPiece, kernels, ("FastBertTokenizer", () => FastBert(wordPiece))),
            Of("byte-level BPE", bpe, kernels, ("Microsoft.ML.Tokenizers", () => MicrosoftCodeGen(bpe))),
        ];
    }

    public override void Prepare() => _run = _prepare();

    public override void Run() => _run!();

    private static TokenizerWork Of(string kind, string directory, KernelOptions kernels, (string Name, Func<Action> Prepare) peer)
    {
        Tokenizer tokenizer = Tokenizer.Load(directory);
        string[] files = SourceFiles();
        string text = string.Concat(files);
        return kernels.MaxThreads > 1
            ? new TokenizerWork($"{kind} ids, 10 MB in {files.Length} files", kernels, () =>
            {
                var options = new EncodeOptions { MaxThreads = kernels.MaxThreads };
                return () => tokenizer.EncodeBatchToIds(files, options);
            })
            { Tokens = files.Sum(file => tokenizer.CountTokens(file)) }
            : new TokenizerWork($"{kind} ids, 10 MB", kernels, () =>
            {
                var ids = new int[TextBytes];
                return () => tokenizer.TryEncodeToIds(text, ids, out _);
            })
            { Tokens = tokenizer.CountTokens(text), Siblings = [(peer.Name, () => new TokenizerWork(peer.Name, kernels, peer.Prepare))] };
    }

    private static Action FastBert(string directory)
    {
        var tokenizer = new BertTokenizer();
        using (StreamReader vocabulary = File.OpenText(Path.Combine(directory, "vocab.txt")))
            tokenizer.LoadVocabulary(vocabulary, convertInputToLowercase: true);
        string text = string.Concat(SourceFiles());
        var (ids, mask, types) = (new long[TextBytes], new long[TextBytes], new long[TextBytes]);
        return () => tokenizer.Encode(text, ids, mask, types);
    }

    private static Action MicrosoftCodeGen(string directory)
    {
        string folder = Directory.CreateTempSubdirectory("mt-bench-").FullName;
        try
        {
            IReadOnlyList<string> files = CodeGenTokenizer.Load(directory).SaveVocabulary(folder);
            using FileStream vocabulary = File.OpenRead(files[0]), merges = File.OpenRead(files[1]);
            var tokenizer = Microsoft.ML.Tokenizers.CodeGenTokenizer.Create(vocabulary, merges);
            string text = string.Concat(SourceFiles());
            return () => tokenizer.EncodeToIds(text);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // The repository's C# files, again and again, cut to 10 MB.
    private static string[] SourceFiles()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "Runtime.sln")))
            root = Path.GetDirectoryName(root) ?? throw new DirectoryNotFoundException("No Runtime.sln above the bench: it reads the repository's own source.");
        string[] files = [.. Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Contains("/obj/", StringComparison.Ordinal)).Order(StringComparer.Ordinal).Select(File.ReadAllText)];
        var texts = new List<string>();
        for (int i = 0, left = TextBytes; left > 0; i = (i + 1) % files.Length)
        {
            texts.Add(Encoding.UTF8.GetByteCount(files[i]) <= left ? files[i] : files[i][..Math.Min(left, files[i].Length)]);
            left -= Encoding.UTF8.GetByteCount(files[i]);
        }
        return [.. texts];
    }
}
