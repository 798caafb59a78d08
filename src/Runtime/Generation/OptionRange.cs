using System.Runtime.CompilerServices;

namespace ManagedTransformers;

/// <summary>Ranges of single options, null allowed; each method returns the value. NaN is in no range.</summary>
internal static class OptionRange
{
    /// <summary>Where an exception's data says what is needed, without the option's name.</summary>
    public const string Needed = "needed";

    public static int? AtLeast(int least, int? value, [CallerMemberName] string name = "") =>
        value < least ? throw Outside(name, value, $"at least {least} is needed.") : value;

    // Scores are 32-bit: what is 0 or infinite as such a number would make all of them infinite or NaN.
    public static double? Above0(double? value, [CallerMemberName] string name = "") =>
        value is null || ((float)value > 0 && float.IsFinite((float)value)) ? value
            : throw Outside(name, value, name == nameof(GenerationOptions.Temperature) && value == 0
                ? "a number above 0 is needed. For the most probable token, set DoSample to false."
                : "a number above 0 is needed, which a 32-bit number can hold.");

    public static TimeSpan? Above0(TimeSpan? value, [CallerMemberName] string name = "") =>
        value <= TimeSpan.Zero ? throw Outside(name, value, "a time above 0 is needed.") : value;

    public static double? Within0And1(double? value, [CallerMemberName] string name = "") =>
        value is null or (>= 0 and <= 1) ? value : throw Outside(name, value, "a number from 0 to 1 is needed.");

    public static double? Above0UpTo1(double? value, [CallerMemberName] string name = "") =>
        value is null or (> 0 and <= 1) ? value : throw Outside(name, value, "a number above 0 and up to 1 is needed.");

    public static double? From0Below1(double? value, [CallerMemberName] string name = "") =>
        value is null or (>= 0 and < 1) ? value : throw Outside(name, value, "a number from 0 and below 1 is needed.");

    public static double? Between0And1(double? value, [CallerMemberName] string name = "") =>
        value is null or (> 0 and < 1) ? value : throw Outside(name, value, "a number above 0 and below 1 is needed.");

    public static double? Finite(double? value, [CallerMemberName] string name = "") =>
        value is null || double.IsFinite(value.Value) ? value : throw Outside(name, value, "a finite number is needed.");

    public static float NotNaN(float value, [CallerMemberName] string name = "") =>
        float.IsNaN(value) ? throw Outside(name, value, "a number is needed.") : value;

    public static T? Defined<T>(T? value, [CallerMemberName] string name = "") where T : struct, Enum =>
        value is null || Enum.IsDefined(value.Value) ? value : throw Outside(name, value, $"one of {string.Join(", ", Enum.GetNames<T>())} is needed.");

    public static ArgumentOutOfRangeException Outside<T>(string name, T value, string needed) =>
        new(name, $"{name} is {value}; {needed}") { Data = { [Needed] = needed } };
}
