namespace ManagedTransformers.Fuzz;

/// <summary>Runs of every target. The long ones are a command's: CONTRIBUTING.md.</summary>
public sealed class FuzzTests
{
    private static IEnumerable<TestCaseData> Targets => FuzzTargets.All.Select(target => new TestCaseData(target.Name).SetArgDisplayNames(target.Name));

    [OneTimeSetUp]
    public void Watch() => Watchdog.Start(Path.Combine(TestContext.CurrentContext.WorkDirectory, "fuzz"));

    /// <summary>A parser that is not instrumented, or that mutation cannot get into, fails here.</summary>
    [TestCaseSource(nameof(Targets))]
    public void Changed_inputs_reach_more_than_the_seeds_and_find_nothing(string name)
    {
        FuzzTarget target = FuzzTargets.Find(name);
        Check(new FuzzLoop(target, seed: 1).Run(target.ShortRun, TimeSpan.FromMinutes(5)));
    }

    [Explicit("Half a minute for each target")]
    [Category("Fuzz")]
    [TestCaseSource(nameof(Targets))]
    public void Half_a_minute_of_changed_inputs_finds_nothing(string name) =>
        Check(new FuzzLoop(FuzzTargets.Find(name), seed: 2).Run(long.MaxValue, TimeSpan.FromSeconds(30)));

    private static void Check(FuzzReport report)
    {
        Assert.That(report.Findings.Select(finding => $"{finding.Fault.Text}\n{Convert.ToBase64String(finding.Input)}"), Is.Empty);
        Assert.That(report.SeedPoints, Is.Positive, "No branch was counted: the parsers are not instrumented.");
        Assert.That(report.Points, Is.GreaterThan(report.SeedPoints), "No changed input reached a branch that the seeds do not reach.");
        Assert.That(report.Accepted, Is.Positive, "Every input was refused.");
    }
}
