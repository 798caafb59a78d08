using System.Text.Json;
using ManagedTransformers.Models;

namespace ManagedTransformers.Cli;

/// <summary>Makes samples: completions of prompts, and programs in several turns.</summary>
/// <param name="generator">Writes them.</param>
internal sealed class Sampler(TextGenerator generator)
{
    private const int UsualNewTokens = 256;

    /// <summary>Refuses prompts that leave no room for their completion, before any is generated.</summary>
    /// <exception cref="ModelInputException">One does.</exception>
    public void RequireRoom(IReadOnlyList<Problem> problems, GenerationOptions options)
    {
        if (options.Over(generator.Defaults).TruncatePrompt == true)
            return;
        int most = generator.Model.Config.MaxTokens;
        int wanted = Limited(options).MaxNewTokens ?? 1;
        foreach (CompletionProblem problem in problems.OfType<CompletionProblem>())
        {
            int tokens = generator.Tokenizer.CountTokens(problem.Prompt);
            if (tokens + wanted > most)
                throw new ModelInputException($"{problem.Where}: the prompt of {problem.TaskId} is {tokens} tokens, and up to {wanted} "
                    + $"are to be written; the model reads at most {most} ({generator.Model.Config.Positions}). "
                    + "Lower --max-new-tokens, or leave the problem out.");
        }
    }

    /// <summary>Makes the samples of a batch, each as a line of JSON.</summary>
    /// <param name="batch">What to make.</param>
    /// <param name="options">How text is generated.</param>
    /// <param name="progress">Told how many of the batch are done.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    public IReadOnlyList<string> Make(SampleSlot[] batch, GenerationOptions options, IProgress<int> progress, CancellationToken cancellationToken) =>
        batch[0].Problem is MultiTurnProblem problem
            ? Programs(problem, [.. batch.Select(slot => problem.Cases[slot.Index % problem.Cases.Length])], options, cancellationToken)
            : Completions([.. batch.Select(slot => (CompletionProblem)slot.Problem)], options, progress, cancellationToken);

    private string[] Completions(CompletionProblem[] problems, GenerationOptions options, IProgress<int> progress, CancellationToken cancellationToken)
    {
        options = Limited(options) with { Truncation = options.Truncation ?? TruncationRecipe.HumanEval };
        IReadOnlyList<string> texts = generator.Generate([.. problems.Select(problem => problem.Prompt)], options, progress, cancellationToken);
        return [.. problems.Select((problem, i) => JsonSerializer.Serialize(new Sample(problem.TaskId, texts[i]), CliJsonContext.Relaxed.Sample))];
    }

    private string[] Programs(MultiTurnProblem problem, MultiTurnCase[] cases, GenerationOptions options, CancellationToken cancellationToken)
    {
        var synthesis = new SynthesisOptions
        {
            Preamble = SynthesisOptions.BenchmarkPreamble,
            Generation = options with { MaxNewTokens = options.MaxNewTokens ?? problem.MaxNewTokens },
            Truncation = options.Truncation ?? TruncationRecipe.MultiTurn,
        };
        ProgramSynthesis[] programs = [.. cases.Select(_ => new ProgramSynthesis(generator, synthesis))];
        try
        {
            for (int turn = 0; turn < cases[0].Prompts.Length; turn++)
                ProgramSynthesis.Next(programs, [.. cases.Select(c => c.Prompts[turn])], progress: null, cancellationToken);
        }
        catch (ModelInputException e)
        {
            throw new ModelInputException($"{problem.Where}, {problem.TaskId}: {e.Message}", e);
        }
        finally
        {
            foreach (ProgramSynthesis program in programs)
                program.Dispose();
        }
        return [.. programs.Select((program, i) => JsonSerializer.Serialize(ToSample(problem, cases[i], program), CliJsonContext.Relaxed.MultiTurnSample))];
    }

    private static MultiTurnSample ToSample(MultiTurnProblem problem, MultiTurnCase turns, ProgramSynthesis program)
    {
        IEnumerable<string> parts = program.Turns.SelectMany(turn => (string[])[turn.Comment, turn.Text[turn.Comment.Length..]]);
        return new MultiTurnSample(problem.TaskId, program.Context, problem.Id, turns.Input, turns.Output, program.Context,
            [SynthesisOptions.BenchmarkPreamble, .. parts]);
    }

    private static GenerationOptions Limited(GenerationOptions options) =>
        options is { MaxNewTokens: null, MaxLength: null } ? options with { MaxNewTokens = UsualNewTokens } : options;
}

/// <summary>A sample as HumanEval's evaluator reads it.</summary>
internal sealed record Sample(string TaskId, string Completion);

/// <summary>A sample as MTPB's evaluator (mtpb_exec.py) reads it, with the properties of <see cref="Sample"/> before; the program is the completion.</summary>
internal sealed record MultiTurnSample(
    string TaskId, string Completion, JsonElement Id, JsonElement? Input, JsonElement? GoldOutput, string Completions, string[] PromptsCompletions);
