using System.Collections.Concurrent;
using System.Text;

namespace ManagedTransformers.Orleans.Tests.Processes;

/// <summary>Requests of many kinds, and their texts from an engine that nothing disturbs.</summary>
internal sealed class Workload : IDisposable
{
    private readonly TextGenerator _alone;
    private readonly string[][] _whole;

    private Workload(TextGenerator alone, GenerationRequest[] requests, string[][] whole) => (_alone, Requests, _whole) = (alone, requests, whole);

    public GenerationRequest[] Requests { get; }

    public static async Task<Workload> CreateAsync(
        int count, int leastTokens = 8, int mostTokens = 64, WeightFormat weights = WeightFormat.AsStored, int seed = 1)
    {
        var load = new PipelineOptions { Load = new LoadOptions { WeightFormat = weights } };
        var alone = TextGenerator.Load(Path.Combine(RepositoryRoot.Path, "models", Fleet.Model), load);
        var random = new Random(seed);
        GenerationRequest[] requests = [.. Enumerable.Range(0, count).Select(i => Request(alone, i, random, leastTokens, mostTokens))];
        await using var engine = new GenerationEngine(alone, new GenerationEngineOptions { MaxQueue = count });
        string[][] whole = await Task.WhenAll(requests.Select(async request => (await engine.GenerateAsync(request)).Sequences.Select(Said).ToArray()));
        return new Workload(alone, requests, whole);
    }

    /// <summary>Sends all requests, several at once, and compares what comes piece by piece.</summary>
    /// <returns>What is wrong with texts, by request.</returns>
    public async Task<ConcurrentDictionary<int, string>> RunAsync(ClusterGenerator generator, int callers, Action<int>? ended = null)
    {
        var wrong = new ConcurrentDictionary<int, string>();
        await Parallel.ForAsync(0, Requests.Length, new ParallelOptions { MaxDegreeOfParallelism = callers }, async (i, _) =>
        {
            if (await CompareAsync(generator, i) is string problem)
                wrong.TryAdd(i, problem);
            ended?.Invoke(i);
        });
        return wrong;
    }

    /// <summary>Sends a request and compares its texts; null: they are the undisturbed ones.</summary>
    public async Task<string?> CompareAsync(ClusterGenerator generator, int i, Action? piece = null)
    {
        string[] texts;
        try
        {
            texts = await TextsAsync(generator, i, piece);
        }
        catch (Exception e)
        {
            return $"{e.GetType().Name}: {e.Message}";
        }
        return texts.SequenceEqual(_whole[i]) ? null : $"{string.Join(" and ", texts)} in place of {string.Join(" and ", _whole[i])}";
    }

    public string[] Whole(int i) => _whole[i];

    /// <summary>The texts of a request as their pieces say them.</summary>
    public async Task<string[]> TextsAsync(ClusterGenerator generator, int i, Action? piece = null)
    {
        var texts = new SortedDictionary<int, (List<int> Ids, StringBuilder Text, FinishReason? Reason)>();
        await foreach (GenerationUpdate update in generator.StreamAsync(Requests[i]))
        {
            (List<int> ids, StringBuilder text, FinishReason? reason) = texts.GetValueOrDefault(update.Index, ([], new StringBuilder(), null));
            ids.AddRange(update.Piece.TokenIds);
            text.Append(update.Piece.Text);
            if (reason is not null)
                throw new InvalidOperationException($"Text {update.Index} went on after its end.");
            texts[update.Index] = (ids, text, update.Piece.FinishReason);
            piece?.Invoke();
        }
        return [.. texts.Values.Select(text => $"{text.Text}|{string.Join(' ', text.Ids)}|{text.Reason}")];
    }

    public void Dispose() => _alone.Dispose();

    private static GenerationRequest Request(TextGenerator alone, int i, Random random, int least, int most)
    {
        string prompt = (i % 4) switch
        {
            0 => $"def f{random.Next(1000)}(a, b):\n",
            1 => $"class Stack{random.Next(100)}:\n    def push(self, x):\n",
            2 => string.Concat(Enumerable.Range(0, 4).Select(k => $"def g{k}(x):\n    return x + {k}\n\n")) + $"def h{random.Next(100)}(x):\n",
            _ => $"import os\n\nfor i in range({random.Next(100)}):\n",
        };
        int tokens = random.Next(least, most + 1);
        return new GenerationRequest(alone.Encode(prompt))
        {
            Options = (i % 5) switch
            {
                0 => new() { MaxNewTokens = tokens },
                1 => new() { MaxNewTokens = tokens, DoSample = true, Seed = i, Temperature = 0.8, TopP = 0.95 },
                2 => new() { MaxNewTokens = tokens, DoSample = true, Seed = i, TopK = 20, NumReturnSequences = 2, EosTokenId = [] },
                3 => new() { MaxNewTokens = tokens, StopStrings = ["\n\n"], RepetitionPenalty = 1.1 },
                _ => new() { MaxNewTokens = tokens, DoSample = true, Seed = i, Temperature = 1.2, EosTokenId = [] },
            },
        };
    }

    private static string Said(GeneratedSequence text) => $"{text.Text}|{string.Join(' ', text.TokenIds)}|{text.FinishReason}";
}
