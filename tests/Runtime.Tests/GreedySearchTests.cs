using System.Text.Json;
using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

public sealed class GreedySearchTests
{
    private CodeGenForCausalLM _model = null!;

    // Options of other searches and of logits processors belong to what can be asked for later.
    private static IEnumerable<TestCaseData> GreedyCases()
    {
        using JsonDocument cases = JsonDocument.Parse(File.ReadAllBytes(TestData.Reference("generation/cases.json")));
        string[] known = ["max_new_tokens", "max_length", "eos_token_id", "do_sample"];
        foreach (JsonElement row in cases.RootElement.Clone().EnumerateArray())
        {
            if (row.GetProperty("options").EnumerateObject().All(option => known.Contains(option.Name)))
                yield return new TestCaseData(row).SetArgDisplayNames(row.GetProperty("name").GetString()!);
        }
    }

    [OneTimeSetUp]
    public void Load() => _model = CodeGenForCausalLM.Load(TestData.Reference("generation"));

    [OneTimeTearDown]
    public void Dispose() => _model.Dispose();

    [TestCaseSource(nameof(GreedyCases))]
    public void Sequences_equal_the_reference(JsonElement row)
    {
        JsonElement options = row.GetProperty("options");
        int? Number(string key) => options.TryGetProperty(key, out JsonElement value) ? value.GetInt32() : null;
        int[]? ends = !options.TryGetProperty("eos_token_id", out JsonElement eos) ? null : eos.ValueKind == JsonValueKind.Array ? eos.Ints() : [eos.GetInt32()];
        int[][] ids = [.. row.GetProperty("input_ids").EnumerateArray().Select(array => array.Ints())];
        int[][] masks = [.. row.GetProperty("attention_mask").EnumerateArray().Select(array => array.Ints())];
        int[][] prompts = [.. ids.Select((prompt, i) => prompt.Where((_, column) => masks[i][column] == 1).ToArray())];
        var generated = _model.Generate(prompts, new GenerationOptions { MaxNewTokens = Number("max_new_tokens"), MaxLength = Number("max_length"), EosTokenId = ends });
        int[][] expected = [.. row.GetProperty("sequences").EnumerateArray().Select(array => array.Ints())];
        for (int i = 0; i < expected.Length; i++)
            Assert.That((int[])[.. ids[i], .. generated[i]], Is.EqualTo(expected[i][..(ids[i].Length + generated[i].Length)]), $"row {i}");
        Assert.That(generated.Max(tokens => tokens.Length), Is.EqualTo(expected[0].Length - ids[0].Length));
    }

    [Test]
    public void There_are_greedy_cases() => Assert.That(GreedyCases().Count(), Is.EqualTo(5));

    [Test]
    public void A_row_that_ended_leaves_the_batch_and_the_others_go_on_as_alone()
    {
        int[][] prompts = [[63, 150, 55, 171, 48, 9, 123, 133, 119, 169, 142, 72], [131, 33], [193, 87, 3, 228]];
        var options = new GenerationOptions { MaxNewTokens = 24, EosTokenId = [92, 74] };
        IReadOnlyList<int[]> together = _model.Generate(prompts, options);
        Assert.That(together.Select(tokens => tokens.Length).Distinct().Count(), Is.GreaterThan(1), "rows end at different steps");
        for (int i = 0; i < prompts.Length; i++)
            Assert.That(together[i], Is.EqualTo(_model.Generate([prompts[i]], options)[0]));
    }

    [Test]
    public void More_prompts_than_one_batch_holds_keep_their_order()
    {
        int[][] prompts = [.. Enumerable.Range(0, 20).Select(i => Enumerable.Range(5 + i, 1 + i % 4).ToArray())];
        var options = new GenerationOptions { MaxNewTokens = 4, EosTokenId = [] };
        IReadOnlyList<int[]> together = _model.Generate(prompts, options);
        for (int i = 0; i < prompts.Length; i++)
            Assert.That(together[i], Is.EqualTo(_model.Generate([prompts[i]], options)[0]));
    }
}
