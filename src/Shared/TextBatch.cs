using System.Runtime.ExceptionServices;

namespace ManagedTransformers;

/// <summary>Work on many texts, on several threads.</summary>
internal static class TextBatch
{
    /// <summary>The results of <paramref name="work"/> for 0 … <paramref name="count"/> − 1, in order.</summary>
    /// <remarks>Where it throws, the exception of the lowest number comes out, as on one thread.</remarks>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static TResult[] Run<TResult>(int count, int maxThreads, Func<int, TResult> work, CancellationToken cancellationToken)
    {
        var results = new TResult[count];
        if (count < 2 || Math.Min(maxThreads, Environment.ProcessorCount) == 1)
        {
            for (int i = 0; i < count; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                results[i] = work(i);
            }
            return results;
        }
        (int Number, ExceptionDispatchInfo Error)? first = null;
        var gate = new Lock();
        Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = maxThreads, CancellationToken = cancellationToken }, (i, state) =>
        {
            try
            {
                results[i] = work(i);
            }
            catch (Exception e)
            {
                lock (gate)
                {
                    if (first is null || i < first.Value.Number) first = (i, ExceptionDispatchInfo.Capture(e));
                }
                state.Break();      // lower numbers are still done: one of them may throw as well
            }
        });
        first?.Error.Throw();
        return results;
    }
}
