using System.Text.Json;
using FastBertTokenizer;
using ManagedTransformers.Kernels;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Bench;

/// <summary>The ids of 10 MB of text: as one text on one thread, interleaved with other tokenizers of .NET; as the files that it is made of, with the HF
/// library as the peer.</summary>
internal sealed class TokenizerWork : Work
{
    private static readonly EncodeOptions NoSpecialTokens = new() { AddSpecialTokens = false };

    private readonly Func<Func<IEnumerable<int>>> _prepare;
    private Func<IEnumerable<int>>? _run;

    private TokenizerWork(string name, KernelOptions kernels, Func<Func<IEnumerable<int>>> prepare) : base(name, kernels) => _prepare = prepare;

    /// <summary>WordPiece, byte-level BPE, Llama's BPE, Unigram.</summary>
    public static IEnumerable<Work> All(KernelOptions kernels)
    {
        string data = Path.Combine(AppContext.BaseDirectory, "data"), wordPiece = Path.Combine(data, "wordpiece");
        string[] source = BenchTexts.SourceFiles();
        if (kernels.MaxThreads == 1)
        {
            yield return OneText("WordPiece", wordPiece, source, kernels, ("FastBertTokenizer", () => FastBert(wordPiece, string.Concat(source))));
            yield return Bpe(data, source, kernels);
        }
        yield return Files("WordPiece", wordPiece, "C#", source, kernels);
        yield return Files("byte-level BPE", data, "C#", source, kernels);
        yield return Files("Qwen2 BPE", Path.Combine(data, "qwen2"), "C#", source, kernels);
        yield return Files("Llama BPE", Path.Combine(data, "llama"), "C#", source, kernels);
        yield return Files("Unigram", Path.Combine(data, "xlm-roberta"), "C#", source, kernels);
        yield return Files("Unigram", Path.Combine(data, "xlm-roberta"), "13 languages", BenchTexts.Messages(), kernels);
    }

    /// <summary>Byte-level BPE, as one text and as files.</summary>
    public static IEnumerable<Work> Quick(KernelOptions kernels)
    {
        string data = Path.Combine(AppContext.BaseDirectory, "data");
        string[] source = BenchTexts.SourceFiles();
        yield return Bpe(data, source, kernels with { MaxThreads = 1 });
        yield return Files("byte-level BPE", data, "C#", source, kernels);
    }

    public override void Prepare() => _run = _prepare();

    public override void Run() => _run!();

    /// <summary>The ids, in order.</summary>
    public override float[] Output() => [.. _run!().Select(id => (float)id)];

    private static TokenizerWork Bpe(string data, string[] source, KernelOptions kernels) =>
        OneText("byte-level BPE", data, source, kernels, ("Microsoft.ML.Tokenizers", () => MicrosoftCodeGen(data, string.Concat(source))));

    private static TokenizerWork OneText(
        string kind, string directory, string[] files, KernelOptions kernels, (string Name, Func<Action> Prepare) peer)
    {
        Tokenizer tokenizer = Tokenizer.Load(directory);
        string text = string.Concat(files);
        return new TokenizerWork($"{kind} ids, 10 MB", kernels, () =>
        {
            var ids = new int[BenchTexts.Bytes];
            return () => tokenizer.TryEncodeToIds(text, ids, out int count) ? ids.Take(count) : [];
        })
        {
            Tokens = tokenizer.CountTokens(text),
            SiblingsAreOthers = true,
            Siblings = [(peer.Name, () => new TokenizerWork(peer.Name, kernels, () => Without(peer.Prepare())))],
        };

        static Func<IEnumerable<int>> Without(Action run) => () =>
        {
            run();
            return [];
        };
    }

    private static TokenizerWork Files(string kind, string directory, string what, string[] files, KernelOptions kernels)
    {
        Tokenizer tokenizer = Tokenizer.Load(directory);
        EncodeOptions options = NoSpecialTokens with { MaxThreads = kernels.MaxThreads };
        return new TokenizerWork($"{kind} ids, 10 MB of {what} in {files.Length} files", kernels,
            () => () => tokenizer.EncodeBatchToIds(files, options).SelectMany(ids => ids))
        {
            Tokens = files.Sum(file => tokenizer.CountTokens(file, NoSpecialTokens)),
            Peers = [new PeerTask("HF tokenizers", PeerModel.Tokenizer(Path.Combine(directory, "tokenizer.json")), WriteInputs)],
        };

        string WriteInputs(string path)
        {
            File.WriteAllText(path, JsonSerializer.Serialize(files));
            return $"prepare {path}";
        }
    }

    private static Action FastBert(string directory, string text)
    {
        var tokenizer = new BertTokenizer();
        using (StreamReader vocabulary = File.OpenText(Path.Combine(directory, "vocab.txt")))
            tokenizer.LoadVocabulary(vocabulary, convertInputToLowercase: true);
        var (ids, mask, types) = (new long[BenchTexts.Bytes], new long[BenchTexts.Bytes], new long[BenchTexts.Bytes]);
        return () => tokenizer.Encode(text, ids, mask, types);
    }

    private static Action MicrosoftCodeGen(string directory, string text)
    {
        string folder = Directory.CreateTempSubdirectory("mt-bench-").FullName;
        try
        {
            IReadOnlyList<string> files = CodeGenTokenizer.Load(directory).SaveVocabulary(folder);
            using FileStream vocabulary = File.OpenRead(files[0]), merges = File.OpenRead(files[1]);
            var tokenizer = Microsoft.ML.Tokenizers.CodeGenTokenizer.Create(vocabulary, merges);
            return () => tokenizer.EncodeToIds(text);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
