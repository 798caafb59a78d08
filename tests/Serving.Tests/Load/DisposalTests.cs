using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using ManagedTransformers.Bench;

namespace ManagedTransformers.Serving.Tests;

/// <summary>Calls from many threads while what they call is disposed: each gets the right answer, or hears that it is gone.</summary>
public sealed class DisposalTests
{
    private const int Threads = 64, Cases = 16;

    private static readonly string[] s_names =
        ["tokenize", "fill-mask", "classify", "tag", "embed", "generate", "stream", "score", "engine generates", "engine embeds"];

    private static readonly SoakKind[] s_kinds = [.. s_names.Select(name => SoakKinds.All.Single(kind => kind.Name == name))];

    private readonly ConcurrentDictionary<int, string> _now = [];
    private ConcurrentQueue<string> _wrong = [];
    private long _right, _gone;
    private volatile bool _disposing;

    [Test]
    public async Task Sixty_four_threads_get_right_answers_until_all_is_disposed() => await RunAsync(rounds: 1, calls: 10, seed: 1);

    /// <summary>64 threads × 10 kinds × 10⁴ calls: 6,400,000, in a hundred rounds (or MTX_SOAK_ROUNDS), each of which disposes its models in the
    /// middle.</summary>
    [Test]
    [Explicit("Makes 6,400,000 calls, in half an hour")]
    [Category("Soak")]
    public async Task Six_million_calls_are_right_or_hear_that_what_they_call_is_gone() => await RunAsync(
        int.Parse(Environment.GetEnvironmentVariable("MTX_SOAK_ROUNDS") ?? "100", CultureInfo.InvariantCulture), calls: 100, seed: 1);

    private async Task RunAsync(int rounds, int calls, int seed)
    {
        (_wrong, _right, _gone) = ([], 0, 0);
        using var directories = new TinyModels();
        var right = new Dictionary<SoakKind, SoakAnswer[]>();
        await using (var models = new SoakModels(name => directories[name], parts: 2))
        {
            foreach (SoakKind kind in s_kinds)
                right.Add(kind, await Soak.RightAsync(models, kind, Cases));
        }
        for (int round = 0; round < rounds; round++)
        {
            await RoundAsync(new SoakModels(name => directories[name], parts: 2), right, calls, new Random((seed * 1000) + round));
            TestContext.Progress.WriteLine($"round {round + 1}: {_right} right answers, {_gone} heard that it was disposed, {_wrong.Count} wrong");
        }
        Assert.That(_wrong, Is.Empty);
        Assert.That(_right + _gone, Is.EqualTo((long)rounds * Threads * s_kinds.Length * calls));
        Assert.That(_right, Is.GreaterThan(_gone / 4), "it is disposed in the middle");
        Assert.That(_gone, Is.GreaterThan(0), "it is disposed in the middle");
    }

    private async Task RoundAsync(SoakModels models, Dictionary<SoakKind, SoakAnswer[]> right, int calls, Random random)
    {
        _disposing = false;
        long before = Interlocked.Read(ref _right), until = before + (long)(Threads * s_kinds.Length * calls * ((0.5 * random.NextDouble()) + 0.3));
        int[] seeds = [.. Enumerable.Range(0, Threads).Select(_ => random.Next())];
        Task[] threads = [.. seeds.Select((seed, thread) => Task.Factory.StartNew(
            () => Calls(models, right, calls, thread, new Random(seed)), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))];
        Task all = Task.WhenAll(threads);
        while (Interlocked.Read(ref _right) < until && !all.IsCompleted)
            await Task.Delay(1);
        _disposing = true;
        await GuardAsync(models.DisposeAsync().AsTask(), "disposing");
        await GuardAsync(all, "the calls");
    }

    private void Calls(SoakModels models, Dictionary<SoakKind, SoakAnswer[]> right, int calls, int thread, Random random)
    {
        SoakKind[] order = [.. Enumerable.Range(0, calls).SelectMany(_ => s_kinds)];
        random.Shuffle(order);
        foreach (SoakKind kind in order)
        {
            int n = random.Next(Cases);
            _now[thread] = $"{kind.Name} {n}";
            try
            {
                SoakAnswer answer = kind.Ask(models, n).GetAwaiter().GetResult()!;
                if (right[kind][n].DifferenceTo(answer, kind.Tolerance) is string wrong)
                    _wrong.Enqueue($"{kind.Name} {n}: {wrong}");
                Interlocked.Increment(ref _right);
            }
            catch (ObjectDisposedException) when (_disposing)
            {
                Interlocked.Increment(ref _gone);
            }
            catch (Exception e)
            {
                _wrong.Enqueue($"{kind.Name} {n}: {e}");
                Interlocked.Increment(ref _right);
            }
        }
        _now.TryRemove(thread, out _);
    }

    // No test of speed: whoever waits for ten minutes waits for ever.
    private async Task GuardAsync(Task work, string what)
    {
        long start = Stopwatch.GetTimestamp();
        while (!work.IsCompleted && Stopwatch.GetElapsedTime(start) < TimeSpan.FromMinutes(10))
            await Task.WhenAny(work, Task.Delay(1000));
        if (!work.IsCompleted)
            Assert.Fail($"{what}: no end after ten minutes. Waiting: {string.Join("; ", _now.Select(one => $"thread {one.Key}: {one.Value}"))}");
        await work;
    }
}
