using System.Globalization;

namespace ManagedTransformers.Models;

/// <summary>Words that debugger views share.</summary>
internal static class DebuggerText
{
    /// <summary>A number of bytes: <c>1.5 MB</c>.</summary>
    public static string Bytes(long bytes) => Scaled(bytes, 1024, ["B", "KB", "MB", "GB", "TB"]);

    /// <summary>A large number: <c>3.2 M</c>.</summary>
    public static string Count(long count) => Scaled(count, 1000, ["", "K", "M", "G", "T"]).TrimEnd();

    private static string Scaled(double value, int step, string[] units)
    {
        int unit = 0;
        for (; value >= step && unit < units.Length - 1; unit++) value /= step;
        return string.Create(CultureInfo.InvariantCulture, $"{Math.Round(value, 1)} {units[unit]}");
    }
}
