namespace ManagedTransformers.Serving.Tests;

public sealed class PromptPartsTests
{
    // The reader's parts have 256 tokens and the last one what is left.
    [TestCase(1, 0)]
    [TestCase(16, 0)]
    [TestCase(17, 17)]
    [TestCase(256, 256)]
    [TestCase(257, 256)]
    [TestCase(272, 256)]
    [TestCase(273, 273)]
    [TestCase(1000, 1000)]
    public void What_may_be_taken_over_was_read_in_parts_of_17_or_more(int length, int reusable) =>
        Assert.That(PromptParts.Reusable(length), Is.EqualTo(reusable));

    [TestCase(1000, 0, 0)]
    [TestCase(1000, 600, 600)]
    [TestCase(1000, 983, 983)]
    [TestCase(1000, 990, 983)]
    [TestCase(1000, 1000, 983)]
    [TestCase(260, 256, 256)]
    [TestCase(260, 259, 256)]
    [TestCase(260, 250, 239)]
    [TestCase(10, 9, 0)]
    [TestCase(17, 16, 0)]
    public void Reading_goes_on_where_the_rest_is_a_part_of_its_own(int length, int held, int start) =>
        Assert.That(PromptParts.Start(length, held), Is.EqualTo(start));

    [Test]
    public void Parts_are_17_or_more_but_for_the_readers_own_last_one([Range(1, 40)] int first, [Values(17, 64, 128)] int tokens)
    {
        foreach (int length in new[] { first, 240 + first, 500 + first, 1000 + first })
        {
            for (int start = 0, end; start < length; start = end)
            {
                end = PromptParts.End(length, start, tokens);
                bool isReadersLast = end == length && start == (length - 1) / 256 * 256;
                Assert.That(end - start, isReadersLast ? Is.InRange(1, 256) : Is.InRange(17, tokens + 16), $"{start} … {end} of {length}");
            }
        }
    }
}
