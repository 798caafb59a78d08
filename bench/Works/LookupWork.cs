using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Bench;

/// <summary>
/// Writing the rest of a text after its beginning, with prompt lookup, interleaved with plain greedy search. The weights are synthetic,
/// so a processor makes the model say the text: the passes cost what they cost, and guesses are right where the text repeats itself.
/// </summary>
internal sealed class LookupWork : Work
{
    private const int PromptTokens = 512, NewTokens = 96, LookupTokens = 7;

    private readonly string _file;
    private readonly bool _lookup;
    private readonly ModelCache _models;
    private int[] _text = [];
    private GenerationSession? _session;
    private GenerationOptions _options = new();

    /// <param name="what">What the text is like.</param>
    /// <param name="file">Its file, in bench/data.</param>
    /// <param name="lookup">Whether tokens are looked up; false: the sibling.</param>
    /// <param name="models">Where the model comes from.</param>
    /// <param name="kernels">Level and threads.</param>
    public LookupWork(string what, string file, bool lookup, ModelCache models, KernelOptions kernels)
        : base($"{ModelSize.CodeGen.Name} prompt lookup, {what}", kernels)
    {
        (_file, _lookup, _models) = (file, lookup, models);
        Tokens = NewTokens;
        if (lookup)
            Siblings = [("plain greedy", () => new LookupWork(what, file, lookup: false, models, kernels))];
    }

    public override void Prepare()
    {
        string data = Path.Combine(AppContext.BaseDirectory, "data");
        var tokenizer = Tokenizer.Load(data);
        _text = tokenizer.Encode(File.ReadAllText(Path.Combine(data, _file))).Ids;
        if (_text.Length < PromptTokens + NewTokens)
            throw new InvalidDataException($"{_file} has {_text.Length} tokens; {PromptTokens + NewTokens} are needed.");
        TextGenerator generator = TextGenerator.Create(_models.Load<CodeGenForCausalLM>(ModelSize.CodeGen.Checkpoint, Kernels), tokenizer);
        _session = generator.CreateSession(new SessionOptions { MaxLength = PromptTokens + NewTokens });
        _options = new GenerationOptions
        {
            MaxNewTokens = NewTokens, EosTokenId = [], DoSample = false, LogitsProcessors = [new Script(_text)],
            PromptLookupNumTokens = _lookup ? LookupTokens : null,
        };
    }

    // The session holds the prompt but its last token, which a run reads first.
    public override void Run() => _session!.Generate(_text[..PromptTokens], _options);

    public override void Dispose()
    {
        _session?.Dispose();
        base.Dispose();
    }

    /// <summary>Lets only the next token of a text through.</summary>
    private sealed class Script(int[] text) : LogitsProcessor
    {
        public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
        {
            scores.Fill(float.NegativeInfinity);
            scores[text[inputIds.Length]] = 0;
        }
    }
}
