using ManagedTransformers.Testing;

namespace ManagedTransformers.Fuzz;

/// <summary>Inputs that showed a fault once: Crashers/TARGET/NAME.</summary>
public sealed class CrasherTests
{
    private static string Folder { get; } = Path.Combine(RepositoryRoot.Path, "tests", "Fuzz", "Crashers");

    private static IEnumerable<TestCaseData> Files => Directory.EnumerateFiles(Folder, "*", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal)
        .Select(path => new TestCaseData(path).SetArgDisplayNames(Path.GetRelativePath(Folder, path).Replace('\\', '/')));

    [TestCaseSource(nameof(Files))]
    public void What_showed_a_fault_once_is_read_or_refused(string path)
    {
        FuzzTarget target = FuzzTargets.Find(Path.GetFileName(Path.GetDirectoryName(path)!));
        Assert.That(new Trial(target).Run(File.ReadAllBytes(path))?.Text, Is.Null);
    }
}
