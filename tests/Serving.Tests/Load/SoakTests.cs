using System.Globalization;
using ManagedTransformers.Bench;

namespace ManagedTransformers.Serving.Tests;

/// <summary><c>bench -- soak</c> as tests: a few seconds in each run, minutes by <c>--filter Category=Soak</c>.</summary>
public sealed class SoakTests
{
    [Test]
    public async Task Calls_of_all_kinds_at_once_have_the_answers_that_each_has_alone_and_leave_no_file_open()
    {
        using var directories = new TinyModels();
        await using var models = new SoakModels(name => directories[name]);
        Soak soak = await RunAsync(models, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(1), warmCalls: 0);
        Assert.That(soak.Failures, Is.Empty);
        Assert.That(soak.Calls, Is.GreaterThan(100));
        if (OperatingSystem.IsLinux())
            Assert.That(soak.Curve.Samples.Select(sample => sample.State.WeightMappings), Is.All.EqualTo(5), "the weights that stay loaded");
    }

    /// <summary>Five minutes, or as many as MTX_SOAK_MINUTES says, after a warm-up of 5,000 calls, which takes the longer, the more else runs.</summary>
    [Test]
    [Explicit("Takes five minutes, and a warm-up")]
    [Category("Soak")]
    [Platform("Linux", Reason = "/proc tells what a process holds")]
    public async Task What_the_process_holds_is_flat()
    {
        double minutes = double.Parse(Environment.GetEnvironmentVariable("MTX_SOAK_MINUTES") ?? "5", CultureInfo.InvariantCulture);
        using var directories = LoadModels.OfRepository();
        await using var models = new SoakModels(name => directories[name]);
        Soak soak = await RunAsync(models, TimeSpan.FromMinutes(minutes), TimeSpan.FromMinutes(minutes) / 60, warmCalls: 5_000);
        Assert.That(soak.Failures, Is.Empty);
        Assert.That(soak.Curve.Growth(), Is.Empty);
    }

    private static Task<Soak> RunAsync(SoakModels models, TimeSpan time, TimeSpan round, int warmCalls) => Soak.RunAsync(new SoakSettings
    {
        Time = time, Round = round, WarmCalls = warmCalls, Cases = 12, Progress = sample => TestContext.Out.WriteLine(SoakCurve.Text(sample)),
    }, models);
}
