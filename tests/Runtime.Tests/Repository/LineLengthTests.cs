namespace ManagedTransformers.Runtime.Tests;

/// <summary>Lines of code are as long as .editorconfig says: dotnet format does not look at max_line_length.</summary>
public sealed class LineLengthTests
{
    private const int Longest = 160;
    private static readonly string[] Folders = ["bench", "samples", "src", "tests", "tools"];

    [TestCaseSource(nameof(Folders))]
    public void No_line_is_wider_than_160_columns(string folder)
    {
        string[] files = [.. SourceFiles(folder)];
        Assert.That(files, Is.Not.Empty);
        string[] wide =
        [
            .. from file in files
               from line in File.ReadLines(file).Index()
               where Columns(line.Item) > Longest
               select $"{Path.GetRelativePath(TestData.Root, file)}:{line.Index + 1} has {Columns(line.Item)}",
        ];
        Assert.That(wide, Is.Empty);
    }

    [Test]
    public void The_editors_know_the_same_width() =>
        Assert.That(File.ReadLines(Path.Combine(TestData.Root, ".editorconfig")), Does.Contain($"max_line_length = {Longest}"));

    [TestCase("", 0)]
    [TestCase("ab", 2)]
    [TestCase("é·𝟙", 3)]
    public void A_column_is_a_code_point(string line, int columns) => Assert.That(Columns(line), Is.EqualTo(columns));

    private static int Columns(string line) => line.EnumerateRunes().Count();

    private static IEnumerable<string> SourceFiles(string folder) =>
        Directory.EnumerateFiles(Path.Combine(TestData.Root, folder), "*.cs", SearchOption.AllDirectories)
            .Where(path => !path.Split(Path.DirectorySeparatorChar).Any(part => part is "obj" or "bin"));
}
