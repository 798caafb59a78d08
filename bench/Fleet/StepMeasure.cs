using System.Diagnostics;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>Measures the passes of an engine with a model of CodeGen-350M's size.</summary>
/// <param name="models">Where the model comes from.</param>
/// <param name="say">Told every time.</param>
internal sealed class StepMeasure(ModelCache models, Action<string> say)
{
    private const int Rounds = 3, RunsOfRound = 5, LongContext = 1024, ShortContext = 128, MostRows = 32;

    // The engine's parts have 32 tokens while texts run, up to 48 at a prompt's end, and else 256.
    private static readonly int[] s_parts = [1, 8, 17, 32, 48, 128, 256], s_rows = [1, 2, 4, 8, 16, MostRows];

    private readonly CodeGenForCausalLM _model = models.Load<CodeGenForCausalLM>(ModelSize.CodeGen.Checkpoint, KernelOptions.Default);

    public StepTimes Run()
    {
        var prompt = new List<PromptTime>();
        var decode = new List<DecodeTime>();
        foreach (int tokens in s_parts)
            prompt.Add(Say(new PromptTime(tokens, 0, Prompt(tokens, 0))));
        prompt.Add(Say(new PromptTime(s_parts[^1], LongContext, Prompt(s_parts[^1], LongContext))));
        foreach (int rows in s_rows)
            decode.Add(Say(new DecodeTime(rows, ShortContext, Decode(rows, ShortContext))));
        decode.Add(Say(new DecodeTime(8, LongContext, Decode(8, LongContext))));
        return new StepTimes { Model = ModelSize.CodeGen.Name, Machine = MachineDescription.Text, Prompt = prompt, Decode = decode };
    }

    private double Prompt(int tokens, int cached)
    {
        int[] part = TokenIds.Some(tokens);
        using Session session = Filled(1, cached, cached + tokens);
        return Median(() => session.Cache!.Truncate(0, cached), () => _model.Append(part, [tokens], [0], session, ScoresOf.LastTokens));
    }

    private double Decode(int rows, int context)
    {
        int[] tokens = TokenIds.Some(rows), sequences = [.. Enumerable.Range(0, rows)];
        using Session session = Filled(rows, context, context + 1);
        return Median(() => Array.ForEach(sequences, one => session.Cache!.Truncate(one, context)), () => _model.Step(tokens, sequences, session));
    }

    private Session Filled(int rows, int context, int most)
    {
        Session session = _model.CreateSession(new SessionOptions { BatchSize = rows, MaxLength = most });
        if (context > 0)
            _model.Append(TokenIds.Some(context), [context], [0], session, ScoresOf.None);
        for (int row = 1; row < rows; row++)
            session.Cache!.Copy(session.Cache, 0, row);
        return session;
    }

    // The median of three rounds' medians.
    private static double Median(Action before, Action run)
    {
        before();
        run();
        return Samples.Median(Enumerable.Range(0, Rounds).Select(_ => Samples.Median(Enumerable.Range(0, RunsOfRound).Select(_ =>
        {
            before();
            long start = Stopwatch.GetTimestamp();
            run();
            return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }).ToArray())).ToArray());
    }

    private T Say<T>(T time)
    {
        say($"{time}");
        return time;
    }
}
