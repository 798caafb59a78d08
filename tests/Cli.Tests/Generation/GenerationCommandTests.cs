using System.Text.Json;
using System.Text.Json.Nodes;

namespace ManagedTransformers.Cli.Tests;

[TestFixture]
internal sealed class GenerationCommandTests
{
    [Test]
    public void Generate_gives_the_reference_ids_and_text_of_the_first_row()
    {
        JsonElement row = JsonDocument.Parse(File.ReadLines(Path.Combine(Folders.Reference, "demo", "generate.jsonl")).First()).RootElement;
        MtxRun run = MtxRun.Of("generate", row.GetProperty("prompt").GetString()!, "--max-new-tokens", "64", "--json");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(MtxRun.Names(run.Json), Is.EqualTo(new[] { "prompt", "generated_text", "token_ids", "finish_reason" }));
        Assert.That(run.Json.GetProperty("generated_text").GetString(), Is.EqualTo(row.GetProperty("text").GetString()));
        Assert.That(JsonElement.DeepEquals(run.Json.GetProperty("token_ids"), row.GetProperty("new_ids")));
    }

    [Test]
    public void The_streamed_text_is_the_prompt_and_what_json_gives()
    {
        string[] args = ["generate", "-", "--max-new-tokens", "24"];
        string expected = MtxRun.WithInput("def add(a, b):\n", [.. args, "--json"]).Json.GetProperty("generated_text").GetString()!;
        Assert.That(MtxRun.WithInput("def add(a, b):\n", args).Out.TrimEnd('\n'), Is.EqualTo(("def add(a, b):" + expected).TrimEnd('\n')));
        Assert.That(MtxRun.WithInput("def add(a, b):\n", [.. args, "--no-prompt"]).Out.TrimEnd('\n'), Is.EqualTo(expected.TrimEnd('\n')));
    }

    [Test]
    public void Truncate_before_pattern_ends_the_text_at_the_match()
    {
        JsonElement json = MtxRun.Of("generate", "def hello_world():", "--max-new-tokens", "64", "--truncate-before-pattern", "\\n\\n\\n", "--json").Json;
        Assert.That(json.GetProperty("generated_text").GetString(), Does.EndWith("return name").And.Not.Contain("\n\n\n"));
        Assert.That(MtxRun.Of("generate", "x", "--truncate-before-pattern", "(").ExitCode, Is.EqualTo(3));
    }

    [TestCase("generate", "LONG")]
    [TestCase("infill", "--prefix", "LONG", "--suffix", "x")]
    [TestCase("generate", "LONG", "--max-new-tokens", "4")]
    public void A_prompt_that_is_too_long_is_refused_with_the_options_of_the_command_line(params string[] args)
    {
        string text = string.Concat(Enumerable.Repeat("x = 1;\n", 2000));
        MtxRun run = MtxRun.Of([.. args.Select(arg => arg == "LONG" ? text : arg)]);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.Contain("(n_positions)").And.Contain("or set --truncate-prompt.")
            .And.Not.Contain("TruncatePrompt").And.Not.Contain("MaxNew"));
    }

    [Test]
    public async Task Cancelling_ends_the_stream_with_exit_code_130()
    {
        using var cancellation = new CancellationTokenSource();
        using var output = new CancellingWriter(cancellation) { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        int exitCode = await Mtx.RunAsync(["generate", "def hello_world():", "--max-new-tokens", "400"],
            new CliConsole(TextReader.Null, output, error), cancellation.Token);
        Assert.That((exitCode, error.ToString()), Is.EqualTo((130, "mtx: Cancelled.\n")));
        Assert.That(output.ToString(), Has.Length.LessThan(200).And.EndsWith("\n"));
    }

    [Test]
    public void Infill_gives_the_reference_text_of_the_first_row()
    {
        JsonElement row = JsonDocument.Parse(File.ReadLines(Path.Combine(Folders.Reference, "demo", "infill.jsonl")).First()).RootElement;
        (string prefix, string suffix, string middle) =
            (row.GetProperty("prefix").GetString()!, row.GetProperty("suffix").GetString()!, row.GetProperty("middle").GetString()!);
        MtxRun run = MtxRun.Of("infill", "--prefix", prefix, "--suffix", suffix, "--json");
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(MtxRun.Names(run.Json), Is.EqualTo(new[] { "prefix", "infill", "suffix" }));
        Assert.That(run.Json.GetProperty("infill").GetString(), Is.EqualTo(middle));

        string file = Path.Combine(Folders.Scratch(), "gap.py");
        File.WriteAllText(file, $"{prefix}<cursor>{suffix}");
        Assert.That(MtxRun.Of("infill", file, "--whole").Out, Is.EqualTo($"{prefix}{middle}{suffix}\n"));
        Assert.That(MtxRun.WithInput($"{prefix}@@{suffix}", "infill", "-", "--cursor", "@@").Out, Is.EqualTo($"{middle}\n"));
    }

    [TestCase("no mark", "does not hold the mark <cursor>")]
    [TestCase("<cursor> two <cursor>", "no <mask_2>; 2 gaps need <mask_1> to <mask_2>")]
    public void A_file_without_a_mark_or_with_more_than_the_tokenizer_has_masks_gives_exit_code_3(string text, string says)
    {
        MtxRun run = MtxRun.WithInput(text, "infill", "-");
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((3, "")));
        Assert.That(run.Error, Does.Contain(says));
    }

    [Test]
    public void Several_marks_are_several_gaps()
    {
        string model = DemoWithTwoMasks();
        string[] args = ["infill", "-", "--model", model, "--max-new-tokens", "4"];
        const string text = "def f(x):\n    <cursor>\n\ndef g(x):\n    return <cursor>\n";
        MtxRun run = MtxRun.WithInput(text, [.. args, "--json"]);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(MtxRun.Names(run.Json), Is.EqualTo(new[] { "parts", "infills" }));
        string[] parts = Strings("parts"), infills = Strings("infills");
        Assert.That(parts, Is.EqualTo(text.Split("<cursor>")));
        Assert.That(infills, Has.Length.EqualTo(2));
        Assert.That(MtxRun.WithInput(text, [.. args, "--whole"]).Out, Is.EqualTo($"{parts[0]}{infills[0]}{parts[1]}{infills[1]}{parts[2]}"));
        Assert.That(MtxRun.WithInput(text, args).Out, Does.StartWith($"gap 1 of 2\n{infills[0]}").And.Contain($"\ngap 2 of 2\n{infills[1]}"));

        string[] Strings(string name) => [.. run.Json.GetProperty(name).EnumerateArray().Select(item => item.GetString()!)];
    }

    [Test]
    public void Context_is_read_before_the_text_and_the_path_is_the_files()
    {
        string folder = Folders.Scratch(), gap = Path.Combine(folder, "gap.py"), other = Path.Combine(folder, "other.py");
        File.WriteAllText(gap, "def f():\n    <cursor>\n");
        File.WriteAllText(other, "a = 1\n");
        string AsText(string path) => Of("infill", "--prefix", $"{(path.Length == 0 ? "" : $"#{path}\n")}def f():\n    ", "--suffix", "\n");
        string Of(params string[] args) => MtxRun.Of([.. args, "--json"]).Json.GetProperty("infill").GetString()!;

        Assert.That(Of("infill", gap, "--path", "g.py"), Is.EqualTo(AsText("g.py")));
        Assert.That(Of("infill", gap, "--context", other), Is.EqualTo(AsText($"{other}\na = 1\n#{gap}")), "DeepSeek-Coder's layout; the path is FILE");
        Assert.That(Of("infill", gap, "--context", other, "--path", "g.py"), Is.EqualTo(AsText($"{other}\na = 1\n#g.py")));
    }

    [Test]
    public void A_context_that_does_not_fit_is_refused_or_left_out_with_a_warning()
    {
        string folder = Folders.Scratch(), large = Path.Combine(folder, "large.py"), small = Path.Combine(folder, "small.py");
        File.WriteAllText(large, string.Concat(Enumerable.Repeat("x = 1\n", 400)));
        File.WriteAllText(small, "y = 2\n");
        string[] args = ["infill", "--prefix", "z = ", "--suffix", "\n", "--context", large, "--context", small, "--max-new-tokens", "4", "--json"];
        MtxRun refused = MtxRun.Of(args);
        Assert.That(refused.ExitCode, Is.EqualTo(3));
        Assert.That(refused.Error, Does.Contain("at most 512"));
        MtxRun run = MtxRun.Of([.. args, "--truncate-prompt"]);
        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Error, Is.EqualTo($"mtx: warning: There was no room for 1 of 2 files of --context: {large}.\n"));
        Assert.That(run.Json.GetProperty("dropped_files").EnumerateArray().Single().GetString(), Is.EqualTo(large));
    }

    [Test]
    public void A_text_that_does_not_fit_loses_its_ends_with_a_warning()
    {
        string prefix = string.Concat(Enumerable.Repeat("x = 1\n", 400));
        MtxRun run = MtxRun.Of("infill", "--prefix", prefix, "--suffix", "\n", "--max-new-tokens", "4", "--truncate-prompt", "--json");
        Assert.That((run.ExitCode, MtxRun.Names(run.Json).Length), Is.EqualTo((0, 3)));
        Assert.That(run.Error, Does.Match(@"^mtx: warning: There was no room for \d+ tokens at the text's ends\.\n$"));
    }

    [Test]
    public void A_repository_is_refused_where_there_is_no_token_for_its_name()
    {
        MtxRun run = MtxRun.Of("infill", "--prefix", "x", "--suffix", "y", "--repository", "shop");
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain("Repository is \"shop\"").And.Contain("CodeGen2"));
    }

    [Test]
    public void Truncate_ends_the_text_and_the_generation()
    {
        string whole = MtxRun.Of("generate", "def hello_world():", "--max-new-tokens", "64", "--json").Json.GetProperty("generated_text").GetString()!;
        JsonElement cut = MtxRun.Of("generate", "def hello_world():", "--max-new-tokens", "64", "--truncate", "human-eval", "--json").Json;
        Assert.That(cut.GetProperty("generated_text").GetString(), Is.EqualTo(whole[..whole.IndexOf("\n\n\n", StringComparison.Ordinal)]));
        Assert.That(cut.GetProperty("token_ids").GetArrayLength(), Is.LessThan(64), "nothing is generated after the cut");
        Assert.That(MtxRun.Of("generate", "def hello_world():", "--truncate", "Dedent", "--max-new-tokens", "64").Out, Does.EndWith("return name\n"));
        Assert.That(MtxRun.Of("generate", "def hello_world():", "--truncate", "none", "--max-new-tokens", "64", "--no-prompt").Out.TrimEnd('\n'),
            Is.EqualTo(whole.TrimEnd('\n')));
    }

    [TestCase("infill")]
    [TestCase("infill", "--prefix", "x")]
    [TestCase("infill", "f", "--suffix", "x")]
    [TestCase("infill", "f", "--cursor", "")]
    [TestCase("infill", "f", "--path", "")]
    [TestCase("infill", "f", "--repository", "a\nb")]
    [TestCase("generate", "x", "--max-new-tokens", "0")]
    [TestCase("generate", "x", "--max-new-tokens", "2", "--max-length", "9")]
    public void Contradictory_options_give_exit_code_2(params string[] args) => Assert.That(MtxRun.Of(args).ExitCode, Is.EqualTo(2));

    [TestCase("--num-beams is 2", "generate", "x", "--num-beams", "2", "--prompt-lookup", "4")]
    [TestCase("--num-return-sequences is 3 and --num-beams is 2", "generate", "x", "--num-beams", "2", "--n", "3")]
    [TestCase("--length-penalty is 2 and --num-beams is 1", "generate", "x", "--length-penalty", "2")]
    [TestCase("--logprobs is 2 and --num-beams is 2", "generate", "x", "--num-beams", "2", "--logprobs", "2", "--json")]
    [TestCase("--min-new-tokens is 9 and --max-new-tokens is 4", "generate", "x", "--min-new-tokens", "9", "--max-new-tokens", "4")]
    [TestCase("--min-new-tokens is 9 and --max-new-tokens is 4", "infill", "--prefix", "x", "--suffix", "y", "--min-new-tokens", "9", "--max-new-tokens", "4")]
    public void Options_that_contradict_each_other_are_named_as_the_command_line_has_them(string says, params string[] args)
    {
        MtxRun run = MtxRun.Of(args);
        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Error, Does.Contain(says).And.Not.Match("NumBeams|PromptLookup|LengthPenalty|NewTokens|LogProb"));
    }

    [Test]
    public void A_prompt_that_leaves_no_room_gives_exit_code_3_with_the_number()
    {
        MtxRun run = MtxRun.Of("generate", string.Concat(Enumerable.Repeat("x = 1\n", 400)));
        Assert.That(run.ExitCode, Is.EqualTo(3));
        Assert.That(run.Error, Does.Contain("512"));
    }

    /// <summary>A copy of the demo model in which an ordinary token is the second mask.</summary>
    private static string DemoWithTwoMasks()
    {
        string model = Folders.Scratch();
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Folders.Repository, "models", "demo-codegen")))
            File.Copy(file, Path.Combine(model, Path.GetFileName(file)));
        string path = Path.Combine(model, "tokenizer.json");
        JsonNode tokenizer = JsonNode.Parse(File.ReadAllText(path))!;
        JsonObject vocabulary = tokenizer["model"]!["vocab"]!.AsObject();
        KeyValuePair<string, JsonNode?> last = vocabulary.MaxBy(token => token.Value!.GetValue<int>() < 8188 ? token.Value.GetValue<int>() : -1);
        vocabulary.Remove(last.Key);
        vocabulary["<mask_2>"] = last.Value!.DeepClone();
        JsonArray merges = tokenizer["model"]!["merges"]!.AsArray();
        merges.RemoveAt(merges.Count - 1);      // the one that makes that token
        File.WriteAllText(path, tokenizer.ToJsonString());
        return model;
    }

    /// <summary>Cancels once the prompt and two pieces of text have been written.</summary>
    private sealed class CancellingWriter(CancellationTokenSource cancellation) : StringWriter
    {
        private int _writes;

        public override void Write(ReadOnlySpan<char> buffer)
        {
            base.Write(buffer);
            if (++_writes == 3)
                cancellation.Cancel();
        }
    }
}
