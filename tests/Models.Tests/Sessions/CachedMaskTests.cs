using ManagedTransformers.Testing;

namespace ManagedTransformers.Models.Tests;

/// <summary>A prefix, then the rest with what the cache holds: the same as one uncached run, whatever the attention mask hides.</summary>
[TestFixtureSource(typeof(DecoderFamilies), nameof(DecoderFamilies.All))]
public sealed class CachedMaskTests(string family)
{
    private const int Rows = 2;
    private const int Width = 8;
    private static readonly int[] Ids = [5, 17, 3, 22, 9, 30, 11, 2, 8, 14, 33, 6, 21, 19, 4, 27];
    private static readonly int[] TypeIds = [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8];

    private static IEnumerable<int[]> Masks() =>
    [
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        [0, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1],         // padded on the left
        [1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0, 1, 0, 1],         // holes before and after any cut
        [1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1],         // nothing new in the first row
    ];

    private DecoderForCausalLM NewModel() => DecoderFamilies.Model(family, width: 48, layers: 2, positions: 24, seed: 9);

    private static Session NewSession(DecoderForCausalLM model) => model.CreateSession(new SessionOptions { BatchSize = Rows, MaxLength = Width });

    [Test]
    public void A_prefix_and_the_rest_give_what_one_run_gives(
        [ValueSource(nameof(Masks))] int[] mask, [Values(3, 4, 7)] int cut, [Values] bool computePadding, [Values] bool positionIds)
    {
        using DecoderForCausalLM model = NewModel();
        var options = new ForwardOptions { ComputePadding = computePadding };
        using Session whole = NewSession(model);
        FloatTensor expected = model.Forward(Columns(0, Width, mask, positionIds), whole, options).Logits;

        using Session parts = NewSession(model);
        model.Forward(Columns(0, cut, Slice(mask, 0, cut), positionIds), parts, options);
        FloatTensor found = model.Forward(Columns(cut, Width, mask, positionIds), parts, options).Logits;
        AssertSameTokens(found, expected, mask, cut);
    }

    [Test]
    public void A_mask_of_the_new_tokens_alone_keeps_what_was_hidden_before([Values(1, 3, 6)] int cut, [Values] bool computePadding)
    {
        // With cut 1 or 3 the new mask is wider than the past, so that its first columns must not be taken for the past's.
        int[] mask = [1, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1];
        using DecoderForCausalLM model = NewModel();
        var options = new ForwardOptions { ComputePadding = computePadding };
        using Session whole = NewSession(model);
        FloatTensor expected = model.Forward(Columns(0, Width, mask, positionIds: false), whole, options).Logits;

        using Session parts = NewSession(model);
        model.Forward(Columns(0, cut, Slice(mask, 0, cut), positionIds: false), parts, options);
        FloatTensor found = model.Forward(Columns(cut, Width, Slice(mask, cut, Width), positionIds: false), parts, options).Logits;
        AssertSameTokens(found, expected, mask, cut);
    }

    [Test]
    public void A_later_mask_hides_tokens_that_were_read_although_other_padding_was_left_out()
    {
        int[] first = [0, 0, 1, 1, 1, 1, 1, 1];                     // of the first four columns
        int[] mask = [0, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1];
        using DecoderForCausalLM model = NewModel();
        using Session kept = NewSession(model);
        using Session packed = NewSession(model);
        var everything = new ForwardOptions { ComputePadding = true };
        model.Forward(Columns(0, 4, first, positionIds: false), kept, everything);
        model.Forward(Columns(0, 4, first, positionIds: false), packed);
        FloatTensor expected = model.Forward(Columns(4, Width, mask, positionIds: false), kept, everything).Logits;
        FloatTensor found = model.Forward(Columns(4, Width, mask, positionIds: false), packed).Logits;
        AssertSameTokens(found, expected, mask, cut: 4, expectedFrom: 4);
    }

    [Test]
    public void A_later_mask_cannot_show_padding_that_was_left_out()
    {
        using DecoderForCausalLM model = NewModel();
        using Session session = NewSession(model);
        model.Forward(Columns(0, 4, [0, 1, 1, 1, 1, 1, 1, 1], positionIds: false), session);
        ModelInputs rest = Columns(4, Width, [.. Enumerable.Repeat(1, Rows * Width)], positionIds: false);
        Assert.That(() => model.Forward(rest, session), Throws.TypeOf<ModelInputException>().With.Message.Contains("4 ones").And.Message.Contains("only 3"));
    }

    /// <summary>Columns from … to − 1 of the batch, with a mask of the caller's.</summary>
    private ModelInputs Columns(int from, int to, int[] mask, bool positionIds) => new(Rows, to - from)
    {
        InputIds = Slice(Ids, from, to),
        TokenTypeIds = family is "codegen" or "gpt2" or "gptj" or "gpt_bigcode" ? Slice(TypeIds, from, to) : null,
        AttentionMask = mask,
        PositionIds = positionIds ? Slice([3, 1, 0, 1, 2, 3, 4, 5, 9, 8, 7, 6, 5, 4, 3, 2], from, to) : null,
    };

    private static int[] Slice(int[] batch, int from, int to) => [.. batch[from..to], .. batch[(Width + from)..(Width + to)]];

    private static void AssertSameTokens(FloatTensor found, FloatTensor expected, int[] mask, int cut, int expectedFrom = 0)
    {
        for (int row = 0; row < Rows; row++)
        {
            for (int column = cut; column < Width; column++)
            {
                if (mask[row * Width + column] == 0)
                    continue;
                float[] logits = found.Row(row * (Width - cut) + column - cut).ToArray();
                Assert.That(logits, Is.EqualTo(expected.Row(row * (Width - expectedFrom) + column - expectedFrom).ToArray()).Within(1e-4),
                    $"row {row}, column {column}");
            }
        }
    }
}
