using System.Diagnostics;
using System.Text;
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
        Soak soak = await Soak.RunAsync(new SoakSettings
        {
            Time = TimeSpan.FromSeconds(3), Round = TimeSpan.FromSeconds(1), Cases = 12, WarmCalls = 0,
            Progress = sample => TestContext.Out.WriteLine(SoakCurve.Text(sample)),
        }, models);
        Assert.That(soak.Failures, Is.Empty);
        Assert.That(soak.Calls, Is.GreaterThan(100));
        if (OperatingSystem.IsLinux())
            Assert.That(soak.Curve.Samples.Select(sample => sample.State.WeightMappings), Is.All.EqualTo(5), "the weights that stay loaded");
    }

    [TestCase(9, 0, "there are 9 samples after the warm-up; 10 are needed to say whether anything grows: make the time longer")]
    [TestCase(21, 0.02)]
    [TestCase(21, 0.021, "live managed memory: from 1,000,000 to 1,021,000; 2 % are allowed")]
    public void A_curve_says_what_rose_by_more_than_2_percent_after_the_warm_up(int samples, double rise, params string[] growth)
    {
        var curve = new SoakCurve(alone: true);
        curve.Add(Sample(500_000));
        curve.EndWarmUp();
        for (int i = 0; i < samples; i++)
            curve.Add(Sample(1_000_000 * (1 + (rise * i / (samples - 1)))));
        Assert.That(curve.Growth(), Is.EqualTo(growth));

        static SoakSample Sample(double live) => new(default, 0, (long)Math.Round(live), 2_000_000, new ProcessState(5_000_000, 3_000_000, 100, 12, 700, 5));
    }

    /// <summary>Five minutes, or as many as MTX_SOAK_MINUTES says, after a warm-up of 5,000 calls, which takes the longer, the more else runs.</summary>
    [Test]
    [Explicit("Takes five minutes, and a warm-up")]
    [Category("Soak")]
    [Platform("Linux", Reason = "/proc tells what a process holds")]
    public void What_the_process_holds_is_flat()
    {
        string minutes = Environment.GetEnvironmentVariable("MTX_SOAK_MINUTES") ?? "5";
        var start = new ProcessStartInfo(Environment.ProcessPath!, ["exec", typeof(SoakTests).Assembly.Location, minutes, "8", "1", "5000"])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        using Process soak = Process.Start(start)!;
        var text = new StringBuilder();
        soak.OutputDataReceived += (_, line) => Note(line.Data);
        soak.ErrorDataReceived += (_, line) => Note(line.Data);
        soak.BeginOutputReadLine();
        soak.BeginErrorReadLine();
        soak.WaitForExit();
        Assert.That(soak.ExitCode, Is.EqualTo(0), text.ToString());
        Assert.That(text.ToString(), Does.Contain("calls, 0 wrong"));

        void Note(string? line)
        {
            lock (text)
                text.AppendLine(line);
        }
    }

    /// <summary>The process of a soak: in that of the tests other threads come and go.</summary>
    private static Task<int> Main(string[] args) => SoakCommand.RunAsync(args);
}
