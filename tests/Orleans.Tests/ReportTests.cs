using System.Diagnostics;
using Orleans;

namespace ManagedTransformers.Orleans.Tests;

/// <summary>What silos tell the directories of their models.</summary>
public sealed class ReportTests
{
    [Test]
    public async Task Directories_that_do_not_answer_keep_no_silo_from_reporting_to_the_others()
    {
        var silent = new Silent();
        await using Fleet fleet = await Fleet.StartAsync(served: silent);
        silent.Answers = new TaskCompletionSource();
        var clock = Stopwatch.StartNew();
        int fewest = 3;
        while (clock.Elapsed < 4 * LostSilos.Patience(Fleet.Options.ReportInterval))
        {
            fewest = Math.Min(fewest, (await fleet.Generator.GetSilosAsync()).Count);
            await Task.Delay(50);
        }
        silent.Answers.SetResult();
        Assert.That(silent.Kept, Is.GreaterThan(0));
        Assert.That(fewest, Is.EqualTo(3), "silos that seemed to be there");
    }

    /// <summary>Directories of encoders that do not answer, as those of a silo that was lost a moment ago.</summary>
    private sealed class Silent : IIncomingGrainCallFilter
    {
        private int _kept;

        public TaskCompletionSource? Answers { get; set; }

        public int Kept => _kept;

        public async Task Invoke(IIncomingGrainCallContext context)
        {
            if (context.Grain is ModelDirectoryGrain directory && directory.GetPrimaryKeyString() != Fleet.Model && Answers is { } answers)
            {
                Interlocked.Increment(ref _kept);
                await answers.Task;
            }
            await context.Invoke();
        }
    }
}
