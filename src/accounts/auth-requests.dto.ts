import { ApiProperty, ApiPropertyOptional, ApiSchema } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsDefined, IsOptional, IsString, IsUUID, Matches, MaxLength, ValidateNested } from 'class-validator';
import { SealedField } from '../http/sealed-fields.js';
import { IDENTITY_BYTES_MAX, SEALED_BYTES_MAX } from './login-record.js';

/** Longer than any message of the protocol. */
const MESSAGE_CHARACTERS_MAX = 1024;
const USER_NAME_CHARACTERS_MAX = 256;
const BASE64URL = /^[\w-]*$/;

/** A message of OPAQUE, which only its library reads. */
function Message(description: string): PropertyDecorator {
  return (target, key) => {
    ApiProperty({ description, type: 'string', pattern: '^[\\w-]+$', example: 'up3DVKR19SEtEgOM0Eso6t1svMmvgcNzfBmdvWfuLTo' })(
      target,
      key,
    );
    IsString()(target, key);
    Matches(BASE64URL, { message: `${String(key)} must be base64url` })(target, key);
    MaxLength(MESSAGE_CHARACTERS_MAX)(target, key);
  };
}

function OptionalMessage(description: string): PropertyDecorator {
  return (target, key) => {
    Message(description)(target, key);
    ApiPropertyOptional()(target, key);
    IsOptional()(target, key);
  };
}

function Name(): PropertyDecorator {
  return (target, key) => {
    ApiProperty({ description: 'User name', type: 'string', example: 'alice' })(target, key);
    IsString()(target, key);
    MaxLength(USER_NAME_CHARACTERS_MAX)(target, key);
  };
}

function Exchange(): PropertyDecorator {
  return Message('What the first half answered as `exchange`');
}

/** What the client sealed. */
@ApiSchema({ name: 'Bundle' })
export class BundleDto {
  @SealedField({ description: 'Wrapped keys, for the own devices', bytesMax: SEALED_BYTES_MAX })
  readonly sealed!: string;

  @SealedField({ description: 'The public identity, for who shares with this user', bytesMax: IDENTITY_BYTES_MAX })
  readonly identity!: string;
}

function BundleProperty(): PropertyDecorator {
  return (target, key) => {
    ApiProperty({ type: BundleDto })(target, key);
    IsDefined()(target, key);
    ValidateNested()(target, key);
    Type(() => BundleDto)(target, key);
  };
}

@ApiSchema({ name: 'RegistrationStart' })
export class RegistrationStartDto {
  @Name()
  readonly name!: string;

  @ApiPropertyOptional({ description: 'By an administrator', example: 'dci_…' })
  @IsOptional()
  @IsString()
  @MaxLength(128)
  readonly invitation?: string;

  @Message('For the password')
  readonly registrationRequest!: string;

  @Message('For the recovery code')
  readonly recoveryRequest!: string;
}

@ApiSchema({ name: 'RegistrationFinish' })
export class RegistrationFinishDto {
  @Exchange()
  readonly exchange!: string;

  @Message('For the password')
  readonly registrationRecord!: string;

  @Message('For the recovery code')
  readonly recoveryRecord!: string;

  @BundleProperty()
  readonly bundle!: BundleDto;
}

@ApiSchema({ name: 'LoginStart' })
export class LoginStartDto {
  @Name()
  readonly name!: string;

  @Message('By the password, or by the recovery code')
  readonly startLoginRequest!: string;
}

@ApiSchema({ name: 'LoginFinish' })
export class LoginFinishDto {
  @Exchange()
  readonly exchange!: string;

  @Message('The proof')
  readonly finishLoginRequest!: string;
}

@ApiSchema({ name: 'PasswordStart' })
export class PasswordStartDto {
  @OptionalMessage('By the password of now; not needed after a recovery')
  readonly startLoginRequest?: string;

  @OptionalMessage('For the new password')
  readonly registrationRequest?: string;

  @OptionalMessage('For a new recovery code')
  readonly recoveryRequest?: string;
}

@ApiSchema({ name: 'PasswordFinish' })
export class PasswordFinishDto {
  @Exchange()
  readonly exchange!: string;

  @OptionalMessage('The proof by the password of now; not needed after a recovery')
  readonly finishLoginRequest?: string;

  @OptionalMessage('For the new password')
  readonly registrationRecord?: string;

  @OptionalMessage('For a new recovery code')
  readonly recoveryRecord?: string;

  @BundleProperty()
  readonly bundle!: BundleDto;
}

@ApiSchema({ name: 'InvitationRequest' })
export class InvitationRequestDto {
  @ApiProperty({
    description: 'The id of an account in which nobody has registered',
    format: 'uuid',
    example: '01920000-0000-7000-8000-000000000003',
  })
  @IsUUID()
  readonly account!: string;
}
