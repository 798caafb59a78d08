namespace ManagedTransformers.Cli;

/// <summary>A sample to make.</summary>
/// <param name="Problem">Of what.</param>
/// <param name="Index">The how-manyeth of this problem, from 0: rounds of all its inputs, one after the other.</param>
internal readonly record struct SampleSlot(Problem Problem, int Index)
{
    /// <summary>The how-manyeth of this problem and input, from 0; all of a batch have the same.</summary>
    public int Round => Index / Problem.SamplesPerRound;
}

/// <summary>Which samples are made together: rounds of all problems, so that a run that ends early has samples of each. It depends on the problems alone,
/// not on what a file already has, so that a run in two parts makes what one run makes.</summary>
internal static class SamplePlan
{
    private const int BatchRows = 16;

    /// <summary>The batches of all rounds, in order; each has completions of several problems, or programs of one.</summary>
    /// <param name="problems">The problems.</param>
    /// <param name="rounds">Samples per problem and input.</param>
    public static IEnumerable<SampleSlot[]> Batches(IReadOnlyList<Problem> problems, int rounds)
    {
        for (int round = 0; round < rounds; round++)
        {
            foreach (SampleSlot[] batch in problems.OfType<CompletionProblem>().Select(problem => new SampleSlot(problem, round)).Chunk(BatchRows))
                yield return batch;
            foreach (MultiTurnProblem problem in problems.OfType<MultiTurnProblem>())
            {
                int first = round * problem.SamplesPerRound;
                foreach (SampleSlot[] batch in Enumerable.Range(first, problem.SamplesPerRound)
                    .Select(index => new SampleSlot(problem, index)).Chunk(BatchRows))
                    yield return batch;
            }
        }
    }
}
