using System.Text.Json;

namespace ManagedTransformers.Cli.Tests;

/// <summary>generate --requests: a line in, a line out.</summary>
[TestFixture]
internal sealed class RequestsTests
{
    private static readonly string Reference = Path.Combine(Folders.Reference, "generation");

    [Test]
    public void Every_row_of_the_reference_gives_its_sequences_and_scores()
    {
        JsonElement[] rows = [.. JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Reference, "cases.json"))).RootElement.EnumerateArray()];
        string file = Path.Combine(Folders.Scratch(), "requests.jsonl");
        File.WriteAllLines(file, rows.Select(row => JsonSerializer.Serialize(row)));
        MtxRun run = MtxRun.Of("generate", "--requests", file, "--json", "--model", Reference);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        JsonElement[] answers = Lines(run.Out);
        Assert.That(answers, Has.Length.EqualTo(rows.Length).And.Length.EqualTo(17));
        foreach ((JsonElement row, JsonElement answer) in rows.Zip(answers))
        {
            bool beams = row.TryGetProperty("sequences_scores", out JsonElement scores);
            Assert.That(MtxRun.Names(answer), Is.EqualTo(beams ? new[] { "sequences", "sequences_scores" } : ["sequences"]), "no tokenizer, no texts");
            Assert.That(answer.GetProperty("sequences").GetRawText(), Is.EqualTo(JsonSerializer.Serialize(row.GetProperty("sequences"))),
                row.GetProperty("name").GetString());
            if (beams)
                Assert.That(Numbers(answer.GetProperty("sequences_scores")), Is.EqualTo(Numbers(scores)).Within(1e-4));
        }
    }

    [Test]
    public void Prompts_are_continued_as_alone_and_padded_on_the_left()
    {
        const string line = """{"prompts": ["def add(a, b):", "x ="], "options": {"max_new_tokens": 6, "pad_token_id": 7}}""";
        MtxRun run = MtxRun.WithInput(line, "generate", "--requests", "-");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        JsonElement answer = Lines(run.Out).Single();
        Assert.That(MtxRun.Names(answer), Is.EqualTo(new[] { "sequences", "texts" }));
        int[][] rows = [.. answer.GetProperty("sequences").EnumerateArray().Select(row => row.EnumerateArray().Select(id => id.GetInt32()).ToArray())];
        Assert.That(rows[0], Has.Length.EqualTo(rows[1].Length));
        Assert.That((rows[0][0], rows[1][0], rows[1][1]), Is.EqualTo((rows[0][0], 7, 7)));
        JsonElement alone = MtxRun.Of("generate", "x =", "--max-new-tokens", "6", "--json").Json;
        Assert.That(answer.GetProperty("texts")[1].GetString(), Is.EqualTo(alone.GetProperty("generated_text").GetString()));
    }

    [Test]
    public void Options_of_the_command_line_hold_where_a_request_is_silent()
    {
        string[] args = ["generate", "--requests", "-", "--model", Reference, "--max-new-tokens", "3", "--eos-token-id", "none", "--logprobs", "0"];
        JsonElement[] answers =
            Lines(MtxRun.WithInput("{\"input_ids\": [[5, 6]]}\n\n{\"input_ids\": [[5, 6]], \"options\": {\"max_new_tokens\": 1}}", args).Out);
        Assert.That(answers.Select(answer => answer.GetProperty("sequences")[0].GetArrayLength()), Is.EqualTo(new[] { 5, 3 }));
        Assert.That(answers[0].GetProperty("log_probabilities")[0].GetArrayLength(), Is.EqualTo(3));
    }

    [TestCase("""{"input_ids": [[5]], "options": {"temperatur": 1}}""", "line 2, options: there is no option temperatur; the nearest is temperature.")]
    [TestCase("""{"input_ids": [[5]], "options": {"top_p": 2}}""", "line 2, options: top_p is 2; a number from 0 to 1 is needed.")]
    [TestCase("""{"input_ids": [[5]], "options": {"num_return_sequences": 2}}""", "line 2: num_return_sequences is 2 and num_beams is 1")]
    [TestCase("""{"input_ids": [[5]], "option": {}}""", "line 2 has the key option")]
    [TestCase("""{"input_ids": [[5], [6, 7]]}""", "line 2: input_ids[1] has 2 tokens")]
    [TestCase("""{"input_ids": [[9999]]}""", "line 2: ")]
    [TestCase("""{"input_ids": [5]}""", "line 2 has the input_ids 5; a list of lists of whole numbers")]
    [TestCase("""{"input_ids": [[5]], "attention_mask": [[2]]}""", "line 2: attention_mask[0, 0] is 2")]
    [TestCase("""{"prompts": ["x"]}""", "line 2: the request has prompts, and the checkpoint has no tokenizer")]
    [TestCase("""{"prompts": []}""", "line 2 has the prompts []")]
    [TestCase("""{"prompts": ["x"], "input_ids": [[5]]}""", "line 2 has both input_ids and prompts")]
    [TestCase("""{"input_ids": [[5]], "\ud800": 1}""", "line 2 has a text with half a surrogate pair")]
    [TestCase("""{"input_ids": [[5]], "options": {"stop_strings": ["\ud800"]}}""", "line 2 has a text with half a surrogate pair")]
    [TestCase("""{"options": {}}""", "line 2 has neither input_ids")]
    [TestCase("""{"input_ids": [[5""", "line 2 is no JSON")]
    [TestCase("""[]""", "line 2 is a JSON Array")]
    public void A_bad_line_is_reported_and_those_before_it_are_answered(string line, string says)
    {
        MtxRun run = MtxRun.WithInput($"{{\"input_ids\": [[5, 6]]}}\n{line}\n{{\"input_ids\": [[5, 6]]}}\n", "generate", "--requests", "-", "--model",
            Reference, "--max-new-tokens", "2");
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.StartWith("mtx: Standard input, ").And.Contain(says));
        Assert.That(Lines(run.Out), Has.Length.EqualTo(1));
    }

    [TestCase("--requests", "x", "prompt")]
    [TestCase("--requests", "x", "--session", "y")]
    [TestCase]
    public void Requests_and_a_prompt_exclude_each_other(params string[] args) => Assert.That(MtxRun.Of(["generate", .. args]).ExitCode, Is.EqualTo(2));

    [Test]
    public void A_request_may_be_cut_by_a_recipe()
    {
        const string line = """{"prompts": ["def hello_world():"], "options": {"max_new_tokens": 64, "truncation": "dedent"}}""";
        string text = Lines(MtxRun.WithInput(line, "generate", "--requests", "-").Out).Single().GetProperty("texts")[0].GetString()!;
        Assert.That(text, Does.EndWith("    return name"));
        JsonElement byOption = Lines(MtxRun.WithInput("""{"prompts": ["def hello_world():"]}""", "generate", "--requests", "-", "--truncate", "dedent").Out)
            .Single();
        Assert.That(byOption.GetProperty("texts")[0].GetString(), Is.EqualTo(text));
    }

    [Test]
    public void Without_a_tokenizer_the_pad_token_of_config_json_fills_rows()
    {
        string[] args = ["generate", "--requests", "-", "--model", Reference, "--max-new-tokens", "3"];
        int[][] Rows(string options) => [.. Lines(MtxRun.WithInput($"{{\"input_ids\": [[63, 150], [5, 6]], \"options\": {{{options}}}}}", args).Out).Single()
            .GetProperty("sequences").EnumerateArray().Select(row => row.EnumerateArray().Select(id => id.GetInt32()).ToArray())];
        int[][] whole = Rows("\"eos_token_id\": []");
        int[][] ended = Rows($"\"eos_token_id\": {whole[1][2]}");
        Assert.That(ended[1], Is.EqualTo(new[] { 5, 6, whole[1][2], 0, 0 }), "pad_token_id 0, not the end token");
        Assert.That(ended[0], Is.EqualTo(whole[0]));
    }

    [Test]
    public void Texts_need_a_tokenizer() =>
        Assert.That(MtxRun.WithInput("", "generate", "--requests", "-", "--model", Reference, "--bad-words", "x").Error, Does.Contain("--bad-words-ids"));

    private static JsonElement[] Lines(string text) =>
        [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];

    private static double[] Numbers(JsonElement list) => [.. list.EnumerateArray().Select(number => number.GetDouble())];
}
