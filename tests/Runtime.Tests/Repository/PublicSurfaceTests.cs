using System.Reflection;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>Public is what a user calls.</summary>
public sealed class PublicSurfaceTests
{
    private static readonly string[] Core =
        ["ManagedTransformers.Shared", "ManagedTransformers.Kernels", "ManagedTransformers.Tokenizers", "ManagedTransformers.Models", "ManagedTransformers"];

    [Test]
    public void The_core_packages_have_at_most_150_public_types()
    {
        (string Assembly, int Types)[] counts = [.. Core.Select(name => (name, Assembly.Load(name).GetExportedTypes().Length))];
        Assert.That(counts.Sum(one => one.Types), Is.LessThanOrEqualTo(150), string.Join(", ", counts.Select(one => $"{one.Assembly} {one.Types}")));
    }

    [Test]
    public void Every_package_has_a_list_of_its_public_members()
    {
        foreach (string project in Directory.GetFiles(Path.Combine(TestData.Root, "src"), "*.csproj", SearchOption.AllDirectories))
        {
            Assert.That(Path.Combine(Path.GetDirectoryName(project)!, "PublicAPI.Shipped.txt"), Does.Exist, "tools/public-api.sh writes it");
            Assert.That(Path.Combine(Path.GetDirectoryName(project)!, "PublicAPI.Unshipped.txt"), Does.Exist, "tools/public-api.sh writes it");
        }
    }
}
