using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>What docs/generation.md promises of bits: at one kernel level they do not depend on the number of threads, on the run, or on the company.</summary>
public sealed class DeterminismTests
{
    private static IEnumerable<KernelLevel> Levels => KernelDispatch.Supported;

    [TestCaseSource(nameof(Levels))]
    public void Passes_and_texts_have_the_same_bits_with_1_2_3_and_7_threads_each_time(KernelLevel level)
    {
        string[] first = Answers(level, threads: 1);
        foreach (int threads in (int[])[1, 2, 3, 7])
        {
            for (int run = 0; run < 2; run++)
                Assert.That(Answers(level, threads), Is.EqualTo(first), $"{threads} threads, run {run}");
        }
    }

    // Of an encoder's pass and a decoder's: all bits. Of texts: greedy and drawn, alone and in a batch.
    private static string[] Answers(KernelLevel level, int threads)
    {
        // The reference kernel is there to be read: it gets a short text.
        string prompt = level == KernelLevel.Reference ? "x =" : "def add(a, b):\n    return a + b\n\ndef sub(a, b):\n";
        var options = new PipelineOptions { Load = new LoadOptions { Kernels = new KernelOptions { Level = level, MaxThreads = threads } } };
        using var features = FeatureExtractionPipeline.Load(TestData.Model("demo-embed"), options);
        using var generator = TextGenerator.Load(TestData.Model("demo-codegen"), options);
        using Session session = generator.CausalLM.CreateSession();
        FloatTensor logits = generator.CausalLM.Forward(generator.Encode(prompt), session).Logits;
        var greedy = new GenerationOptions { MaxNewTokens = level == KernelLevel.Reference ? 2 : 6, EosTokenId = [] };
        GenerationOptions drawn = greedy with { DoSample = true, Seed = 5, NumReturnSequences = 2, TopLogProbabilities = 0 };
        GeneratedSequence[] alone = [.. generator.GenerateSequences([prompt], drawn).Sequences];
        GeneratedSequence[] together = [.. generator.GenerateSequences([prompt, "y"], drawn).Sequences.Take(2)];
        Assert.That(Text(together), Is.EqualTo(Text(alone)));
        return [Bits(features.Extract(prompt)), Bits(logits), generator.Generate(prompt, greedy), Text(alone)];
    }

    private static string Text(IEnumerable<GeneratedSequence> all) => string.Join('|', all.Select(one => one.Text + string.Join(' ',
        one.LogProbabilities!.Select(token => BitConverter.DoubleToInt64Bits(token.LogProbability)))));

    private static string Bits(FloatTensor tensor) => Convert.ToHexString(System.Runtime.InteropServices.MemoryMarshal.AsBytes(tensor.Span));
}
