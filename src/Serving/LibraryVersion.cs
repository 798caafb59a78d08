using System.Reflection;

namespace ManagedTransformers.Serving;

/// <summary>Which build of this library runs: another one may give other last bits.</summary>
internal static class LibraryVersion
{
    /// <summary>The version, and the commit where the build knew it.</summary>
    public static string Text { get; } =
        typeof(LibraryVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
}
