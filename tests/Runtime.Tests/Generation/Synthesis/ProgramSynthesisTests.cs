using ManagedTransformers.Models;

namespace ManagedTransformers.Runtime.Tests;

public sealed class ProgramSynthesisTests
{
    private static readonly string[] Prompts = ["set x to 7", "multiply x by 3", "print x"];
    private static readonly SynthesisOptions Short = new() { Generation = new GenerationOptions { MaxNewTokens = 40 } };

    private TextGenerator _generator = null!;

    [OneTimeSetUp]
    public void Load() => _generator = TextGenerator.Load(TestData.Model("demo-codegen"));

    [OneTimeTearDown]
    public void Dispose() => _generator.Dispose();

    [Test]
    public void Every_turn_is_a_comment_and_what_the_model_continues_it_with()
    {
        // The loop of mtpb_sample.py.
        string history = SynthesisOptions.BenchmarkPreamble;
        var program = new ProgramSynthesis(_generator, Short with { Preamble = history });
        foreach (string prompt in Prompts)
        {
            history += $"# {prompt}\n";
            string completion = TruncationRecipe.MultiTurn.Apply(_generator.Generate(history, Short.Generation));
            SynthesisTurn turn = program.Next(prompt);
            Assert.That((turn.Prompt, turn.Comment, turn.Subprogram), Is.EqualTo((prompt, $"# {prompt}\n", completion)));
            history += $"{completion}\n\n";
            Assert.That(program.Context, Is.EqualTo(history));
        }
        Assert.That(program.Turns.Select(turn => turn.Prompt), Is.EqualTo(Prompts));
    }

    [Test]
    public async Task A_streamed_turn_is_the_same_turn()
    {
        var (whole, streamed) = (new ProgramSynthesis(_generator, Short), new ProgramSynthesis(_generator, Short));
        foreach (string prompt in Prompts)
        {
            string text = "";
            await foreach (TextPiece piece in streamed.StreamAsync(prompt))
                text += piece.Text;
            Assert.That(text, Is.EqualTo(whole.Next(prompt).Subprogram));
        }
        Assert.That(streamed.Context, Is.EqualTo(whole.Context).And.StartsWith("# set x to 7\nx = 7"));
    }

    [Test]
    public async Task A_turn_that_was_not_taken_to_its_end_does_not_count()
    {
        var program = new ProgramSynthesis(_generator, Short);
        await foreach (TextPiece _ in program.StreamAsync(Prompts[0]))
            break;
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        Assert.That(() => program.Next(Prompts[0], cancelled.Token), Throws.InstanceOf<OperationCanceledException>());
        Assert.That((program.Turns.Count, program.Context), Is.EqualTo((0, "")));
    }

    [Test]
    public void Programs_in_one_batch_are_those_made_alone()
    {
        ProgramSynthesis[] together = [new(_generator, Short), new(_generator, Short)];
        ProgramSynthesis[] alone = [new(_generator, Short), new(_generator, Short)];
        foreach (string prompt in Prompts)
        {
            string[] prompts = [prompt, $"{prompt} and y"];
            ProgramSynthesis.Next(together, prompts);
            foreach ((ProgramSynthesis program, string own) in alone.Zip(prompts))
                program.Next(own);
        }
        Assert.That(together.Select(program => program.Context), Is.EqualTo(alone.Select(program => program.Context)));
        Assert.That(ProgramSynthesis.Next([], []), Is.Empty);
        Assert.That(() => ProgramSynthesis.Next(together, ["one"]), Throws.ArgumentException.With.Message.Contains("2 programs and 1 prompts"));
    }

    [Test]
    public void Programs_report_how_many_have_their_turn_and_need_each_a_prompt([Values(1, 2)] int count)
    {
        ProgramSynthesis[] programs = [.. Enumerable.Range(0, count).Select(_ => new ProgramSynthesis(_generator, Short))];
        var done = new Reports();
        ProgramSynthesis.Next(programs, [.. Enumerable.Repeat(Prompts[0], count)], done);
        Assert.That(done[^1], Is.EqualTo(count));
        Assert.That(() => ProgramSynthesis.Next(null!, []), Throws.ArgumentNullException.With.Property("ParamName").EqualTo("programs"));
        Assert.That(() => ProgramSynthesis.Next(programs, null!), Throws.ArgumentNullException.With.Property("ParamName").EqualTo("prompts"));
    }

    [Test]
    public void Each_program_of_a_batch_is_cut_by_its_own_recipe()
    {
        SynthesisOptions lines = Short with { Truncation = TruncationRecipe.BeforePatterns("\n") }, whole = Short with { Truncation = TruncationRecipe.None };
        IReadOnlyList<SynthesisTurn> turns = ProgramSynthesis.Next([new(_generator, lines), new(_generator, whole)], [Prompts[0], Prompts[0]]);
        string alone = new ProgramSynthesis(_generator, whole).Next(Prompts[0]).Subprogram;
        Assert.That(alone, Does.Contain("\n"));
        Assert.That(turns.Select(turn => turn.Subprogram), Is.EqualTo(new[] { alone[..alone.IndexOf('\n', StringComparison.Ordinal)], alone }));
    }

    [Test]
    public void A_batch_writes_no_more_than_its_fullest_program_has_room_for()
    {
        IReadOnlyList<SynthesisTurn> turns = ProgramSynthesis.Next([new(_generator), new(_generator)], [Prompts[0], Long(480)]);
        int room = 512 - Tokens(turns[1].Comment);
        Assert.That(room, Is.InRange(1, 40));
        Assert.That(turns.Select(turn => Tokens(turn.Subprogram)), Is.All.AtMost(room));
    }

    [Test]
    public void Turns_draw_differently_and_a_seed_gives_the_same_program()
    {
        var options = Short with { Generation = Short.Generation with { DoSample = true, Seed = 3, Temperature = 1.2, TopK = 0 } };
        using ProgramSynthesis first = new(_generator, options), second = new(_generator, options);
        foreach (string prompt in Prompts)
        {
            first.Next(prompt);
            ProgramSynthesis.Next([second], [prompt]);
        }
        Assert.That(second.Context, Is.EqualTo(first.Context));
        first.Dispose();
        Assert.That(first.Turns, Has.Count.EqualTo(3), "what was written stays readable");
    }

    [Test]
    public void Lines_of_a_turn_are_comments_and_settings_are_kept()
    {
        var program = new ProgramSynthesis(_generator, Short with { CommentPrefix = "## ", Truncation = TruncationRecipe.BeforePatterns("\n") });
        SynthesisTurn turn = program.Next("add a\r\nand b\n");
        Assert.That(turn.Comment, Is.EqualTo("## add a\n## and b\n"));
        Assert.That(turn.Subprogram, Does.Not.Contain("\n"));
        Assert.That(() => program.Next(" \n"), Throws.ArgumentException);
    }

    [Test]
    public void A_context_that_no_longer_fits_is_refused_with_the_numbers_and_the_program_stays()
    {
        var program = new ProgramSynthesis(_generator, new SynthesisOptions { Generation = new GenerationOptions { MaxNewTokens = 490 } });
        program.Next("x");
        string before = program.Context;
        Assert.That(() => program.Next(Long(30)),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("Turn 2").And.Message.Contains("up to 490; 512 fit (n_positions)"));
        Assert.That(program.Context, Is.EqualTo(before));
        Assert.That(() => new ProgramSynthesis(_generator).Next(Long(600)), Throws.TypeOf<ModelInputException>().With.Message.Contains("at least 1; 512 fit"));
    }

    [Test]
    public void Oldest_turns_are_left_out_where_that_is_asked_for()
    {
        const string preamble = "import os\n\n";
        var options = Short with { Preamble = preamble, Overflow = ContextOverflow.DropOldestTurns };
        var program = new ProgramSynthesis(_generator, options);
        for (int turn = 0; turn < 5; turn++)
            program.Next(Long(100));
        Assert.That(program.Turns, Has.Count.EqualTo(5));
        Assert.That(_generator.Tokenizer.Encode(program.Context).Ids, Has.Length.GreaterThan(512));

        // The last turn is what the model makes of the preamble and the latest turns: as many as leave room for 40 tokens.
        string[] contexts = [.. Enumerable.Range(0, 5)
            .Select(first => preamble + string.Concat(program.Turns.Skip(first).SkipLast(1).Select(turn => turn.Text)) + program.Turns[^1].Comment)];
        string read = contexts.First(context => _generator.Tokenizer.Encode(context).Ids.Length <= 512 - 40);
        Assert.That(read, Is.Not.EqualTo(contexts[0]));
        Assert.That(program.Turns[^1].Subprogram, Is.EqualTo(TruncationRecipe.MultiTurn.Apply(_generator.Generate(read, Short.Generation))));
        Assert.That(() => program.Next(Long(600)), Throws.TypeOf<ModelInputException>().With.Message.Contains("5 turns left out"));
    }

    [Test]
    public void A_limit_that_counts_the_context_is_refused() =>
        Assert.That(
            () => new ProgramSynthesis(_generator, new SynthesisOptions { Generation = new GenerationOptions { MaxLength = 100 } }),
            Throws.TypeOf<ModelInputException>().With.Message.Contains("MaxLength is 100").And.Message.Contains("MaxNewTokens"));

    private int Tokens(string text) => _generator.Tokenizer.Encode(text).Ids.Length;

    private static string Long(int words) => string.Join(' ', Enumerable.Repeat("x", words));

    private sealed class Reports : List<int>, IProgress<int>
    {
        public void Report(int value) => Add(value);
    }
}
