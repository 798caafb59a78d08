using System.Globalization;
using System.Text.RegularExpressions;

namespace ManagedTransformers.Cli;

/// <summary>Sizes as transformers writes them: 5GB, 500MB, 2GiB, 1000.</summary>
internal static partial class ByteSize
{
    /// <summary>Reads a size; decimal for KB, MB and GB, binary for KiB, MiB and GiB.</summary>
    /// <returns>Null where it is none, or is 0, or too large.</returns>
    public static long? Parse(string text)
    {
        if (Form().Match(text) is not { Success: true } match
            || !decimal.TryParse(match.Groups["number"].Value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number))
            return null;
        decimal unit = match.Groups["unit"].Value switch
        {
            "KB" => 1000m,
            "MB" => 1000m * 1000,
            "GB" => 1000m * 1000 * 1000,
            "KiB" => 1024m,
            "MiB" => 1024m * 1024,
            "GiB" => 1024m * 1024 * 1024,
            _ => 1,
        };
        return number * unit is >= 1 and <= long.MaxValue and decimal bytes ? (long)bytes : null;
    }

    [GeneratedRegex(@"^(?<number>\d{1,12}(\.\d{1,6})?) ?(?<unit>[KMG]i?B|)\z", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Form();
}
