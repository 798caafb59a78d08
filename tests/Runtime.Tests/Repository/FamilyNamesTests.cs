using System.Text.RegularExpressions;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Whoever uses models knows tasks, not families: a new family is a folder, and nothing else has to hear of it.</summary>
public sealed class FamilyNamesTests
{
    private static string[] FamilyFolders => [.. Directory.GetDirectories(Path.Combine(TestData.Root, "src", "Models"))
        .Where(folder => Directory.GetFiles(folder, "*Family.cs").Length == 1 && Path.GetFileName(folder) != "Families")];

    [Test]
    public void No_file_of_the_runtime_tools_or_samples_names_a_family_the_tour_excepted()
    {
        var declaration = new Regex(@"^(public|internal) ([a-z]+ )*(class|record|struct) (?<name>\w+)",
            RegexOptions.Multiline | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5));
        string[] types = [.. FamilyFolders.SelectMany(folder => Directory.GetFiles(folder, "*.cs"))
            .SelectMany(path => declaration.Matches(File.ReadAllText(path))).Select(match => match.Groups["name"].Value)];
        Assert.That(types, Does.Contain("CodeGenForCausalLM").And.Contain("BertConfig"));
        var name = new Regex($@"\b({string.Join('|', types)})\b|transformer\.h\.|\.encoder\.layer\.", RegexOptions.None, TimeSpan.FromSeconds(5));
        string[] folders =
            ["src/Runtime", "src/Diagnostics", "src/Hub", "src/Extensions", "src/VectorData", "src/SemanticKernel", "src/Tokenizers", "tools/Cli", "samples"];
        string tour = Path.Combine("samples", "Tour"), built = $"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}";
        IEnumerable<string> found =
            from folder in folders
            from file in Directory.GetFiles(Path.Combine(TestData.Root, folder), "*.cs", SearchOption.AllDirectories)
            let relative = Path.GetRelativePath(TestData.Root, file)
            where !relative.StartsWith(tour, StringComparison.Ordinal) && !relative.Contains(built, StringComparison.Ordinal)
            from line in File.ReadLines(file).Index()
            where name.IsMatch(line.Item)
            select $"{relative}:{line.Index + 1}: {line.Item.Trim()}";
        Assert.That(found, Is.Empty);
    }

    [Test]
    public void A_family_is_registered_in_one_line()
    {
        string registry = File.ReadAllText(Path.Combine(TestData.Root, "src", "Models", "Families", "ModelFamilies.cs"));
        string[] others = [.. Directory.GetFiles(Path.Combine(TestData.Root, "src", "Models"), "*.cs", SearchOption.AllDirectories)
            .Where(path => !FamilyFolders.Contains(Path.GetDirectoryName(path))
                && !path.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))];
        foreach (string folder in FamilyFolders)
        {
            string family = Path.GetFileName(folder);
            Assert.That(Regex.Count(registry, $@"\b{family}Family\.Registration\b"), Is.EqualTo(1), family);
            var code = new Regex($@"^(?!\s*//).*\b{family}(Family|Model|Config|For\w+)\b", RegexOptions.Multiline, TimeSpan.FromSeconds(5));
            Assert.That(others.Where(path => code.IsMatch(File.ReadAllText(path))).Select(Path.GetFileName), Is.SubsetOf(new[] { "ModelFamilies.cs" }), family);
        }
    }
}
