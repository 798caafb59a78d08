using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>A small CodeGen with random weights, and processors that make it say what a test needs.</summary>
internal static class TinyCodeGen
{
    public static CodeGenForCausalLM Model(int vocabSize, int positions = 64, int seed = 3) => PretrainedModels.FromConfig<CodeGenForCausalLM>(
        new CodeGenConfig
        {
            VocabSize = vocabSize, NPositions = positions, NEmbd = 16, NLayer = 2, NHead = 4, RotaryDim = 4, InitializerRange = 0.6, EosTokenId = [1],
        }, seed);

    /// <summary>Nothing but these tokens, one after the other.</summary>
    public sealed class Script(int promptLength, int[] tokens) : LogitsProcessor
    {
        public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
        {
            scores.Fill(float.NegativeInfinity);
            scores[tokens[Math.Min(inputIds.Length - promptLength, tokens.Length - 1)]] = 0;
        }
    }

    /// <summary>Throws once the text has <paramref name="length"/> tokens.</summary>
    public sealed class Failing(int length) : LogitsProcessor
    {
        public override void Process(ReadOnlySpan<int> inputIds, Span<float> scores)
        {
            if (inputIds.Length >= length)
                throw new InvalidOperationException("the processor's own");
        }
    }
}
