using ManagedTransformers.Serving;

namespace ManagedTransformers.Interleavings;

public sealed class MergingQueueTests
{
    private static readonly Lazy<FeatureExtractionPipeline> s_pipeline =
        new(() => FeatureExtractionPipeline.Load(Path.Combine(RepositoryRoot.Path, "models", "demo-fill-mask")));

    [OneTimeTearDown]
    public void Unload() => s_pipeline.Value.Dispose();

    [Test]
    public void Every_call_ends_once_with_its_own_results_or_as_cancelled_or_disposed([Values] bool dispose) =>
        Assert.That(Schedule.Explore(Exploration.Schedules(50), seed => Once(seed, dispose)), Is.Null);

    private static string? Once(int seed, bool dispose)
    {
        var queue = new MergingQueue(new EncoderEngineOptions { MaxBatchTexts = 3 }, hosting: null);
        using var cancellation = new CancellationTokenSource();
        var task = new EncoderTask<int, int>("test", s_pipeline.Value, 0, (items, token) =>
        {
            Schedule.Point();
            token.ThrowIfCancellationRequested();
            // One text fails, and those that ran with it are run again.
            return items.Contains(13) ? throw new ModelInputException("13") : (int[])[.. items.Select(item => item * 2)];
        });
        int[][] asked = [[1, 2], [3, 4, 5, 6], [13], [7]];
        var calls = new EncoderCall<int, int>?[asked.Length];
        Action caller(int i) => () =>
        {
            CancellationToken token = i == 1 ? cancellation.Token : default;
            var call = new EncoderCall<int, int>(task, asked[i], [.. asked[i].Select(_ => 1)], ModelTelemetry.BeginApart("test", "test"), token);
            try
            {
                queue.Enqueue(call);
                calls[i] = call;
                Schedule.Until(() => call.Result.IsCompleted, $"waits for call {i}");
            }
            catch (ObjectDisposedException e) when (dispose)
            {
                call.Refuse(e);
            }
        };
        Action last = dispose
            ? () =>
            {
                Task over = queue.DisposeAsync().AsTask();
                Schedule.Until(() => over.IsCompleted, "waits for the end");
            }
            : () => Schedule.AsOne(cancellation.Cancel);
        Schedule schedule = Schedule.Run(seed, caller(0), caller(1), caller(2), caller(3), last);
        return schedule.Failure
            ?? Enumerable.Range(0, asked.Length).Select(i => Wrong(i, calls[i]?.Result, asked[i], dispose)).FirstOrDefault(one => one is not null);
    }

    private static string? Wrong(int i, Task<IReadOnlyList<int>>? result, int[] asked, bool dispose) => result switch
    {
        null => dispose ? null : $"call {i} was refused",
        { Status: TaskStatus.RanToCompletion } => result.Result.SequenceEqual(asked.Select(one => one * 2)) && i != 2 ? null
            : $"call {i}: {string.Join(' ', result.Result)}",
        { IsCanceled: true } => i == 1 && !dispose ? null : $"call {i} was cancelled",
        { Exception.InnerException: ModelInputException } => i == 2 ? null : $"call {i} has the error of another",
        { Exception.InnerException: ObjectDisposedException } => dispose ? null : $"call {i} is disposed",
        _ => $"call {i}: {result.Status} {result.Exception}",
    };
}
