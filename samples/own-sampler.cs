#:property PublishAot=false
#:project ../src/Runtime/Runtime.csproj

// A rule of your own for the next token: a LogitsProcessor changes the scores before one is chosen.
// dotnet run -c Release samples/own-sampler.cs [PROMPT]
using System.Runtime.CompilerServices;
using ManagedTransformers;
using ManagedTransformers.Tokenizers;

string prompt = args.Length > 0 ? args[0] : "def hello_world():";
using var generator = TextGenerator.Load(Path.Combine(Root(), "models", "demo-codegen"));

Show("greedy", new GenerationOptions());
Show("greedy, no quotes", new GenerationOptions { LogitsProcessors = [new WithoutCharacter(generator.Tokenizer, '"')] });
Show("sampling, near the best", new GenerationOptions { DoSample = true, Seed = 3, LogitsProcessors = [new NearTheBest(nats: 2)] });

void Show(string name, GenerationOptions options) =>
    Console.WriteLine($"--- {name}\n{prompt}{generator.Generate(prompt, options with { MaxNewTokens = 24 })}");

static string Root([CallerFilePath] string path = "") => Path.GetDirectoryName(Path.GetDirectoryName(path))!;

/// <summary>Makes every token impossible whose text has a character.</summary>
internal sealed class WithoutCharacter(Tokenizer tokenizer, char character) : LogitsProcessor
{
    // Found once; a processor serves many rows at once and must keep nothing between calls.
    private readonly int[] _tokens = [.. Enumerable.Range(0, tokenizer.VocabularySize).Where(id => tokenizer.Decode([id]).Contains(character))];

    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        foreach (int token in _tokens)
            scores[token] = float.NegativeInfinity;
    }
}

/// <summary>Samples only among tokens that are at most <paramref name="nats"/> nats less likely than the best one.</summary>
internal sealed class NearTheBest(float nats) : LogitsProcessor
{
    public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
    {
        float best = float.NegativeInfinity;
        foreach (float score in scores)
            best = Math.Max(best, score);
        foreach (ref float score in scores)
            score = score >= best - nats ? score : float.NegativeInfinity;
    }
}
