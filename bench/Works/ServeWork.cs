using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Serving;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Bench;

/// <summary>Texts of several callers that an engine generates together, in interleaved runs with the same texts one after the other.</summary>
internal sealed class ServeWork : Work
{
    public const int PromptTokens = 24, NewTokens = 48;

    private readonly int _streams;
    private readonly bool _isDeterministic, _oneByOne;
    private readonly ModelCache _models;
    private GenerationEngine? _engine;

    /// <param name="streams">Callers.</param>
    /// <param name="isDeterministic">Whether a text is the same whatever else runs.</param>
    /// <param name="models">Where the model comes from.</param>
    /// <param name="kernels">Level and threads.</param>
    /// <param name="oneByOne">One caller, who asks for one text after the other.</param>
    public ServeWork(int streams, bool isDeterministic, ModelCache models, KernelOptions kernels, bool oneByOne = false)
        : base($"{ModelSize.CodeGen.Name} serve {streams} streams{(isDeterministic ? "" : ", any company")}", kernels)
    {
        (_streams, _isDeterministic, _models, _oneByOne) = (streams, isDeterministic, models, oneByOne);
        Tokens = streams * NewTokens;
        if (!oneByOne)
        {
            Peers = [LlamaCpp(streams)];
            Siblings = [("one after the other", () => new ServeWork(streams, isDeterministic, models, kernels, oneByOne: true))];
        }
    }

    public override void Prepare()
    {
        var model = _models.Load<CodeGenForCausalLM>(ModelSize.CodeGen.Checkpoint, Kernels, WeightFormat.AsStored);
        // The tokenizer only names tokens here.
        var generator = TextGenerator.Create(model, Tokenizer.Load(Path.Combine(AppContext.BaseDirectory, "data")));
        _engine = new GenerationEngine(
            generator, new GenerationEngineOptions { MaxRows = _streams, Deterministic = _isDeterministic, KeyValueType = WeightType.F16 });
    }

    public override void Run()
    {
        if (_oneByOne)
        {
            for (int i = 0; i < _streams; i++)
                AskAsync(i).Wait();
            return;
        }
        Task.WaitAll([.. Enumerable.Range(0, _streams).Select(AskAsync)]);
    }

    public override void Dispose()
    {
        _engine?.DisposeAsync().AsTask().Wait();
        base.Dispose();
    }

    // As many sequences in one batch of llama.cpp, after prompts of the same lengths. It has no CodeGen; what it runs has the same shape.
    private static PeerTask LlamaCpp(int streams) => PeerModel.Decoders(ModelSize.CodeGen, "serve", [], WeightFormat.AsStored)[0] with
    {
        Peer = $"llama.cpp f16, {streams} sequences",
        WriteInputs = path =>
        {
            TokenIds.Write(path, TokenIds.Some(PromptTokens + streams));
            return $"prepare serve {streams} {NewTokens} {PromptTokens} {path}";
        },
    };

    private Task AskAsync(int caller) => _engine!.GenerateAsync(new GenerationRequest([.. TokenIds.Some(PromptTokens + caller)])
    {
        CachePrompt = false, Options = new GenerationOptions { MaxNewTokens = NewTokens, EosTokenId = [] },
    });
}
