using System.Text.Json;

namespace ManagedTransformers.Cli.Tests;

[TestFixture]
internal sealed class SampleCommandTests
{
    private const string Two = """
        {"task_id": "a", "prompt": "def add(a, b):\n    \"\"\"Return the sum of a and b.\"\"\"\n"}

        {"task_id": "b", "prompt": "def first(items):\n    \"\"\"Return the first item of a list.\"\"\"\n"}
        """;

    private static readonly string Demo = Path.Combine(Folders.Reference, "demo");

    [Test]
    public void Greedy_completions_of_the_demo_problems_equal_the_reference()
    {
        string samples = Path.Combine(Folders.Scratch(), "samples.jsonl");
        MtxRun run = MtxRun.Of("sample", "--problems", Path.Combine(Demo, "problems.jsonl"), "--greedy", "--max-new-tokens", "96", "--out", samples);
        Assert.That((run.ExitCode, run.Error, run.Out), Is.EqualTo((0, "", $"{samples} has 200 samples of 200 problems, 200 of them new.\n")));
        JsonElement[] expected = Rows(Path.Combine(Demo, "problems.greedy.jsonl")), made = Rows(samples);
        Assert.That(made.Select(Name), Is.EqualTo(expected.Select(Name)));
        // Where two tokens are nearly as likely, rounding may choose the other one.
        bool[] clear = [.. expected.Select(row => row.GetProperty("smallest_margin").GetDouble() >= 0.002)];
        Assert.That(made.Select(Completion).Where((_, i) => clear[i]), Is.EqualTo(expected.Select(Completion).Where((_, i) => clear[i])));
        Assert.That(made.All(row => MtxRun.Names(row).SequenceEqual(["task_id", "completion"])));
    }

    [Test]
    public void A_resumed_run_makes_what_one_run_makes()
    {
        string problems = Problems(Two), whole = Path.ChangeExtension(problems, ".whole"), parts = Path.ChangeExtension(problems, ".parts");
        string[] args = ["sample", "--problems", problems, "--greedy", "--max-new-tokens", "12"];
        Assert.That(MtxRun.Of([.. args, "--n", "3", "--out", whole]).Error, Is.Empty);
        string[] lines = File.ReadAllLines(whole);
        Assert.That(lines.Select(line => Name(Row(line))), Is.EqualTo(new[] { "a", "b", "a", "b", "a", "b" }), "rounds");

        File.WriteAllText(parts, $"{lines[0]}\n{lines[1]}\n{lines[2]}\n{lines[3][..20]}");
        MtxRun run = MtxRun.Of([.. args, "--n", "3", "--out", parts, "--json"]);
        Assert.That(MtxRun.Names(run.Json), Is.EqualTo(new[] { "problems", "samples", "added", "out" }));
        Assert.That((run.Json.GetProperty("samples").GetInt32(), run.Json.GetProperty("added").GetInt32()), Is.EqualTo((6, 3)));
        Assert.That(File.ReadAllText(parts), Is.EqualTo(File.ReadAllText(whole)));
        Assert.That(MtxRun.Of([.. args, "--n", "2", "--out", parts, "--json"]).Json.GetProperty("added").GetInt32(), Is.Zero);
    }

    [Test]
    public void Sample_i_of_a_problem_draws_with_seed_plus_i_in_whatever_runs_it_is_made()
    {
        string problems = Problems(Two), whole = Path.ChangeExtension(problems, ".whole"), parts = Path.ChangeExtension(problems, ".parts");
        string[] args = ["sample", "--problems", problems, "--max-new-tokens", "12", "--temperature", "1.5", "--seed", "7", "--out"];
        Assert.That(MtxRun.Of([.. args, whole, "--n", "3"]).Error, Is.Empty);
        string[] lines = File.ReadAllLines(whole);
        Assert.That(lines.Where((_, i) => i % 2 == 0).Distinct().Count(), Is.EqualTo(3), "samples of a problem differ");
        MtxRun.Of([.. args, parts]);
        Assert.That(File.ReadAllLines(parts), Is.EqualTo(lines[..2]), "more samples leave the first ones as they are");
        File.AppendAllText(parts, $"{lines[2]}\n{lines[3][..20]}");
        MtxRun.Of([.. args, parts, "--n", "3"]);
        Assert.That(File.ReadAllText(parts), Is.EqualTo(File.ReadAllText(whole)));
        MtxRun second = MtxRun.Of("sample", "--problems", problems, "--max-new-tokens", "12", "--temperature", "1.5", "--seed", "8");
        Assert.That(second.Out.Split('\n')[..2], Is.EqualTo(lines[2..4]), "seed 8 is sample 1 of seed 7");
    }

    [Test]
    public void Without_greedy_tokens_are_drawn_as_for_pass_at_1()
    {
        string problems = Problems(Two);
        string[] args = ["sample", "--problems", problems, "--max-new-tokens", "24", "--seed", "3"];
        Assert.That(MtxRun.Of(args).Out, Is.EqualTo(MtxRun.Of([.. args, "--temperature", "0.2", "--top-p", "0.95"]).Out));
    }

    [Test]
    public void A_last_line_without_its_break_is_kept_where_it_is_whole()
    {
        string problems = Problems(Two), samples = Path.Combine(Path.GetDirectoryName(problems)!, "samples.jsonl");
        File.WriteAllText(samples, """{"task_id":"a","completion":"x"}""");
        MtxRun.Of("sample", "--problems", problems, "--greedy", "--max-new-tokens", "4", "--out", samples);
        Assert.That(Rows(samples).Select(Name), Is.EqualTo(new[] { "a", "b" }));
        Assert.That(Completion(Rows(samples)[0]), Is.EqualTo("x"));
    }

    [TestCase("{\"task_id\":\"c\",\"completion\":\"x\"}\n", "line 1 is a sample of c, which is not among the problems")]
    [TestCase("{\"task_id\":\"a\",\"completion\":\"x\"}\n{\"task_id\":\"a\"}\n", "line 2 is no sample")]
    [TestCase("{\"task_id\":\"a\",\n{\"task_id\":\"a\",\"completion\":\"x\"}\n", "line 1 is no JSON")]
    [TestCase("a letter without a line break", "line 1 is no JSON")]
    public void A_file_of_something_else_is_refused_and_left_alone(string content, string says)
    {
        string problems = Problems(Two), samples = Path.Combine(Path.GetDirectoryName(problems)!, "samples.jsonl");
        File.WriteAllText(samples, content);
        MtxRun run = MtxRun.Of("sample", "--problems", problems, "--greedy", "--out", samples);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.Contain($"{samples}, {says}"));
        Assert.That(File.ReadAllText(samples), Is.EqualTo(content));
    }

    [TestCase("", "has no problems")]
    [TestCase("\n\n", "has no problems")]
    [TestCase("{\"task_id\":\"a\",\"prompt\":\"x\"}\n{\"task_id\"", "line 2 is no JSON")]
    [TestCase("[]", "line 1 is a JSON Array")]
    [TestCase("{\"prompt\":\"x\"}", "line 1 has no task_id")]
    [TestCase("{\"task_id\":[],\"prompt\":\"x\"}", "line 1 has the task_id []")]
    [TestCase("{\"task_id\":\"a\"}", "line 1 has neither prompt")]
    [TestCase("{\"task_id\":\"a\",\"prompt\":7}", "line 1 has the prompt 7")]
    [TestCase("{\"task_id\":\"a\",\"prompt\":\"\\ud800\"}", "line 1 has a text with half a surrogate pair")]
    [TestCase("{\"task_id\":\"\\ud800\",\"prompt\":\"a\"}", "line 1 has a text with half a surrogate pair")]
    [TestCase("{\"id\":1,\"prompts\":[\"{A}\"],\"inputs\":[{\"A\":{\"\\ud800\":1}}],\"outputs\":[1]}", "line 1 has a text with half a surrogate pair")]
    [TestCase("{\"task_id\":\"a\",\"prompt\":\"x\"}\n{\"task_id\":\"b\",\"prompt\":\"x\"}\n{\"task_id\":\"a\",\"prompt\":\"y\"}",
        "line 3: the task_id a is that of")]
    [TestCase("{\"id\":1,\"prompts\":[]}", "line 1 has prompts that are no list of turns")]
    [TestCase("{\"id\":1,\"prompts\":[\" \"]}", "line 1 has a blank turn")]
    [TestCase("{\"id\":1,\"prompts\":[\"{A}\"],\"inputs\":[{}],\"outputs\":[1]}", "line 1 has {A} in a turn, but the input {} has no such name")]
    [TestCase("{\"id\":1,\"prompts\":[\"{A\"],\"inputs\":[{}],\"outputs\":[1]}", "line 1 has a single {")]
    [TestCase("{\"id\":1,\"prompts\":[\"x\"],\"inputs\":[{}],\"outputs\":[]}", "line 1 has inputs and outputs that do not go together")]
    [TestCase("{\"id\":1,\"prompts\":[\"x\"],\"max_gen_length\":0}", "line 1 has the max_gen_length 0")]
    public void Bad_problems_are_refused_with_file_and_line(string content, string says)
    {
        string problems = Problems(content);
        MtxRun run = MtxRun.Of("sample", "--problems", problems, "--greedy", "--json");
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain(problems).And.Contain(says));
    }

    [Test]
    public void A_prompt_that_leaves_no_room_is_named_before_anything_is_made()
    {
        string problems =
            Problems($$"""{"task_id": "a", "prompt": "x"}{{"\n"}}{"task_id": "long", "prompt": "{{string.Concat(Enumerable.Repeat("x = 1;", 120))}}"}""");
        MtxRun run = MtxRun.Of("sample", "--problems", problems, "--greedy");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.Contain("line 2").And.Contain("long").And.Contain("up to 256").And.Contain("at most 512 (n_positions)"));
    }

    [TestCase("--greedy")]
    [TestCase("--problems", "x", "--greedy", "--n", "0")]
    [TestCase("--problems", "x", "--greedy", "--truncate", "somewhere")]
    [TestCase("--problems", "x", "--greedy", "--temperature", "0.5")]
    [TestCase("--problems", "x", "--greedy", "--seed", "5")]
    [TestCase("--problems", "x", "--num-return-sequences", "2")]
    public void Wrong_options_give_exit_code_2(params string[] args) => Assert.That(MtxRun.Of(["sample", .. args]).ExitCode, Is.EqualTo(2));

    [Test]
    public void Multi_turn_problems_give_what_MTPBs_evaluator_reads()
    {
        const string line = """{"id": "7", "prompts": ["Assign {A} to x{{}}.", "Print x."], "inputs": """
            + """[{"A": [1, "it's", true, null]}, {"A": "text"}], "outputs": [1, "2"], "max_gen_length": 12}""";
        string problems = Problems(line);
        MtxRun run = MtxRun.Of("sample", "--problems", problems, "--greedy", "--n", "2");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        JsonElement[] samples = [.. run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Row)];
        Assert.That(samples, Has.Length.EqualTo(4), "two inputs, twice");
        Assert.That(MtxRun.Names(samples[0]),
            Is.EqualTo(new[] { "task_id", "completion", "id", "input", "gold_output", "completions", "prompts_completions" }));
        foreach ((JsonElement sample, int i) in samples.Select((sample, i) => (sample, i % 2)))
        {
            string[] parts = [.. sample.GetProperty("prompts_completions").EnumerateArray().Select(part => part.GetString()!)];
            Assert.That((parts[0], parts[1], parts[3]), Is.EqualTo(("# Import libraries.\n\nimport numpy as np\n\n", i == 0
                ? "# Assign [1, \"it's\", True, None] to x{}.\n" : "# Assign text to x{}.\n", "# Print x.\n")));
            Assert.That(string.Concat(parts), Is.EqualTo(sample.GetProperty("completions").GetString()).And.EqualTo(Completion(sample)));
            Assert.That((Name(sample), sample.GetProperty("id").GetString(), sample.GetProperty("gold_output").GetRawText()),
                Is.EqualTo(("7", "7", i == 0 ? "1" : "\"2\"")));
        }
    }

    [Test]
    public async Task Cancelling_keeps_the_lines_that_are_written()
    {
        string problems = Problems(string.Join('\n', Enumerable.Range(0, 4000).Select(i => $$"""{"task_id": "{{i}}", "prompt": "def f{{i}}(x):\n"}""")));
        string samples = Path.Combine(Path.GetDirectoryName(problems)!, "samples.jsonl");
        using var cancellation = new CancellationTokenSource();
        Task<MtxRun> running = MtxRun.RunAsync(TextReader.Null, terminal: false, cancellation.Token, "sample", "--problems", problems, "--greedy",
            "--max-new-tokens", "200", "--out", samples);
        while (!running.IsCompleted && (!File.Exists(samples) || new FileInfo(samples).Length == 0))
            await Task.Delay(20);
        await cancellation.CancelAsync();
        Assert.That((await running).ExitCode, Is.EqualTo(130));
        Assert.That(Rows(samples), Has.Length.InRange(1, 3999));
    }

    [Test]
    public void A_terminal_gets_a_bar_on_standard_error()
    {
        MtxRun run = MtxRun.OnTerminal("sample", "--problems", Problems(Two), "--greedy", "--max-new-tokens", "4");
        Assert.That(run.Error, Does.Contain("2/2"));
        Assert.That(run.Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => Name(Row(line))), Is.EqualTo(new[] { "a", "b" }));
    }

    private static string Problems(string content)
    {
        string file = Path.Combine(Folders.Scratch(), "problems.jsonl");
        File.WriteAllText(file, content);
        return file;
    }

    private static JsonElement Row(string line) => JsonDocument.Parse(line).RootElement;

    private static JsonElement[] Rows(string file)
    {
        // A run that was just cancelled may still have the file open.
        using var reader = new StreamReader(new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return [.. reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Row)];
    }

    private static string Name(JsonElement row) => row.GetProperty("task_id").GetString()!;

    private static string Completion(JsonElement row) => row.GetProperty("completion").GetString()!;
}
