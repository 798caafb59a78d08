using ManagedTransformers.Models;
using ManagedTransformers.Testing;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>A small decoder with random weights, and processors that make it say what a test needs.</summary>
internal static class TinyDecoder
{
    public static DecoderForCausalLM Model(int vocabSize, int positions = 64, int seed = 3, string family = "codegen") =>
        DecoderFamilies.Model(family, vocabSize, width: 16, layers: 2, positions: positions, range: 0.6, seed: seed);

    /// <summary>A generator: of a checkpoint of models/, or of a small model of a family, which knows no language but has a tokenizer.</summary>
    public static TextGenerator Generator(string model)
    {
        if (!DecoderFamilies.All.Contains(model))
            return TextGenerator.Load(TestData.Model(model));
        Tokenizer tokenizer = Tokenizer.Load(TestData.Model("demo-codegen"));
        return TextGenerator.Create(DecoderFamilies.Model(model, tokenizer.VocabularySize, layers: 2, positions: 256), tokenizer);
    }

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
