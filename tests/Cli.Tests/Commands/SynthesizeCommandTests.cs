using System.Text.Json;

namespace ManagedTransformers.Cli.Tests;

[TestFixture]
internal sealed class SynthesizeCommandTests
{
    private static readonly string[] Turns = ["set x to 7", "multiply x by 3"];

    [Test]
    public void Turns_from_arguments_a_file_and_standard_input_make_the_same_program()
    {
        MtxRun run = MtxRun.Of(["synthesize", .. Turns, "--json"]);
        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(MtxRun.Names(run.Json), Is.EqualTo(new[] { "preamble", "turns", "program" }));
        JsonElement[] turns = [.. run.Json.GetProperty("turns").EnumerateArray()];
        Assert.That(MtxRun.Names(turns[0]), Is.EqualTo(new[] { "prompt", "subprogram" }));
        Assert.That(turns.Select(turn => turn.GetProperty("prompt").GetString()), Is.EqualTo(Turns));
        string program = run.Json.GetProperty("program").GetString()!;
        Assert.That(program, Is.EqualTo(string.Concat(
            turns.Select(turn => $"# {turn.GetProperty("prompt").GetString()}\n{turn.GetProperty("subprogram").GetString()}\n\n"))).And.Contain("x = 7"));

        Assert.That(MtxRun.Of(["synthesize", .. Turns]).Out, Is.EqualTo(program));
        Assert.That(MtxRun.WithInput("set x to 7\r\n\nmultiply x by 3", "synthesize").Out, Is.EqualTo(program), "blank lines are no turns");
        string file = Path.Combine(Folders.Scratch(), "turns.txt");
        File.WriteAllLines(file, Turns);
        Assert.That(MtxRun.Of("synthesize", "--file", file).Out, Is.EqualTo(program));
    }

    [Test]
    public void A_preamble_stands_first_and_a_recipe_cuts()
    {
        JsonElement json = MtxRun.Of("synthesize", "print x", "--preamble", "x = 7\n", "--truncate", "none", "--max-new-tokens", "30", "--json").Json;
        Assert.That(json.GetProperty("program").GetString(), Does.StartWith("x = 7\n\n# print x\nprint(x)\n"));
        string cut = MtxRun.Of("synthesize", "print x", "--preamble", "x = 7", "--max-new-tokens", "30", "--json").Json.GetProperty("turns")[0]
            .GetProperty("subprogram").GetString()!;
        Assert.That(json.GetProperty("turns")[0].GetProperty("subprogram").GetString(), Does.StartWith(cut).And.Length.GreaterThan(cut.Length));
    }

    [Test]
    public void A_context_that_is_full_is_refused_or_loses_its_oldest_turns()
    {
        string[] args = ["synthesize", .. Enumerable.Repeat(string.Join(' ', Enumerable.Repeat("x", 100)), 4), "--max-new-tokens", "40"];
        MtxRun refused = MtxRun.Of(args);
        Assert.That(refused.ExitCode, Is.EqualTo(3));
        Assert.That(refused.Error, Does.Contain("Turn").And.Contain("512 fit (n_positions)"));
        Assert.That(refused.Out, Does.StartWith("# x x"), "what was made stays");
        Assert.That(MtxRun.Of([.. args, "--drop-oldest", "--json"]).Json.GetProperty("turns").GetArrayLength(), Is.EqualTo(4));
    }

    [Test]
    public void No_turns_make_no_program() =>
        Assert.That(MtxRun.WithInput("", "synthesize", "--json").Out, Is.EqualTo("{\"preamble\":\"\",\"turns\":[],\"program\":\"\"}\n"));

    [TestCase("a", "--file", "b")]
    [TestCase(" ")]
    public void Contradictory_turns_give_exit_code_2(params string[] args) => Assert.That(MtxRun.Of(["synthesize", .. args]).ExitCode, Is.EqualTo(2));
}
